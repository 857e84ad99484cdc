"""GLSL that paints walls: windows with depth behind them, doors, shop fronts, curtains of glass."""

WALLS = """
float within(float low, float high, float x, float w) {
  return clamp((x - low) / w + 0.5, 0.0, 1.0) * clamp((high - x) / w + 0.5, 0.0, 1.0);
}
float in_box(vec4 box, vec2 p, vec2 w) {  // box: x from, to; y from, to
  return within(box.x, box.y, p.x, w.x) * within(box.z, box.w, p.y, w.y);
}

// What an opening shows. q: the point from its middle; size: half its width, bottom, top; slope:
// how far one looks aside per metre inwards; w: metres of a pixel.
struct Opening { vec2 q; vec3 size; vec2 cell, slope, w; bool shop, door, wide; };

vec3 room(Opening o, float luck, float luck2) {
  vec2 r = o.q - o.slope * 0.55;
  float up = clamp((r.y - o.size.y) / (o.size.z - o.size.y), 0.0, 1.0);
  vec3 seen = vec3(0.045, 0.042, 0.04) * (0.5 + up) * (ambient + 0.25);
  float open = o.size.x * (0.78 - 0.20 * luck);
  float drape = smoothstep(open - 0.03, open, abs(r.x));
  float folds = 0.75 + 0.25 * sin(r.x * 48.0 + luck * 9.0);
  bool below = o.cell.y < 0.0;
  if (o.shop && below) {
    float goods = dice(floor(vec2(r.x * 3.0 + luck * 9.0, up * 3.0)));
    seen += vec3(0.10, 0.09, 0.075) * goods * step(up, 0.55) * ambient;
    seen += vec3(0.16, 0.14, 0.11) * ambient * smoothstep(0.8, 1.0, up);
  } else if (luck2 < 0.75) {
    seen = mix(seen, vec3(0.52, 0.49, 0.44) * folds * (ambient * 0.42 + 0.05), drape);
  }
  float on = night * (o.shop && below ? 1.0 : step(0.62, luck));
  vec3 warm = mix(vec3(1.5, 0.95, 0.45), vec3(1.35, 1.1, 0.75), luck2);
  return seen + on * warm * (0.55 + 0.45 * up) * mix(1.0, 0.55 * folds, drape) * 0.75;
}

// How much of the pane at g is glass, not frame.
float panes(Opening o, vec2 g) {
  float rim = o.shop && o.cell.y < 0.0 ? 0.05 : 0.07;
  vec4 box = vec4(-o.size.x + rim, o.size.x - rim, o.size.y + rim, o.size.z - rim);
  float pane = in_box(box, g, o.w);
  float width = o.size.x * 2.0, parts = width > 1.6 ? 3.0 : 2.0;
  float bar = abs(fract((g.x + o.size.x) / width * parts + 0.5) - 0.5) * width / parts;
  if (abs(g.x) < o.size.x - 0.1) pane *= clamp((bar - 0.028) / o.w.x + 0.5, 0.0, 1.0);
  float cross_bar = mix(o.size.y, o.size.z, 0.68);
  if (!o.wide && o.cell.y >= 0.0)
    pane *= 1.0 - within(cross_bar - 0.028, cross_bar + 0.028, g.y, o.w.y);
  return pane;
}

vec3 opened(
  Opening o, vec3 stone, vec3 joinery, vec3 light, vec3 mirror, float fresnel, vec2 luck
) {
  float deep = o.door ? 0.22 : o.shop && o.cell.y < 0.0 ? 0.12 : 0.17;
  vec2 g = o.q - o.slope * deep;
  float glass = in_box(vec4(-o.size.x, o.size.x, o.size.y, o.size.z), g, o.w);
  float shadow = 1.0 - 0.5 * smoothstep(o.size.z - 0.02, o.size.z, g.y);
  vec3 jamb = stone * light * mix(0.62, 1.0, step(g.y, o.size.y)) * shadow;
  vec3 seen = mix(room(o, luck.x, luck.y), mirror, clamp(0.16 + 0.75 * fresnel, 0.0, 0.9));
  vec3 trim = joinery * light * 0.85;
  if (o.door) {
    vec3 leaf = o.shop ? vec3(0.13, 0.12, 0.11) : thing.w < 0.33 ? vec3(0.20, 0.09, 0.06)
      : thing.w < 0.66 ? vec3(0.07, 0.12, 0.11) : vec3(0.16, 0.11, 0.07);
    trim = leaf * light;
    float low = in_box(vec4(-o.size.x + 0.16, o.size.x - 0.16, 0.25, 1.0), g, o.w);
    float high = in_box(vec4(-o.size.x + 0.16, o.size.x - 0.16, 1.15, 2.1), g, o.w);
    float light_above = in_box(vec4(-o.size.x + 0.2, o.size.x - 0.2, 1.65, 2.12), g, o.w);
    seen = mix(trim * (1.0 - 0.25 * (low + high)), seen, o.shop ? low + high : light_above);
  }
  return mix(jamb, mix(trim, seen, panes(o, g)), glass);
}

vec3 curtain(Opening o, vec3 light, vec3 mirror, float fresnel, float luck) {
  float bar = 1.0 - within(-o.size.x + 0.035, o.size.x - 0.035, o.q.x, o.w.x);
  float rail = 1.0 - within(0.03, o.size.z - 0.03, o.q.y, o.w.y);
  float band = o.cell.y >= 0.0 ? within(-0.1, 0.55, o.q.y, o.w.y) : 0.0;
  vec3 inside = tint.rgb * (0.10 + 0.10 * luck) * (ambient + 0.2);
  inside += night * step(0.55, luck) * vec3(0.6, 0.42, 0.25);
  vec3 pane = mix(inside, mirror, clamp(0.38 + 0.55 * fresnel, 0.0, 0.95));
  pane = mix(pane, tint.rgb * 0.8 * light + mirror * 0.12, band);
  return mix(pane, vec3(0.16, 0.17, 0.18) * light, max(bar, rail));
}

// The board above a shop, with its name.
vec3 board(vec3 colour, vec3 light, vec2 w) {
  float top = grid.z;
  vec3 hue = thing.w < 0.3 ? vec3(0.10, 0.13, 0.16)
    : thing.w < 0.6 ? vec3(0.22, 0.07, 0.06) : vec3(0.10, 0.15, 0.11);
  float word = step(0.5, dice(vec2(floor(uv.x / 3.3), thing.w)));
  float letter = step(0.42, dice(floor(vec2(uv.x * 4.5, thing.w * 7.0))));
  letter *= within(0.2, 0.8, fract(uv.x * 4.5), w.x * 4.5);
  letter *= within(top - 0.70, top - 0.46, uv.y, w.y) * clamp(0.06 / w.x, 0.0, 1.0);
  vec3 sign = mix(hue, vec3(0.75, 0.70, 0.58), word * letter * 0.85);
  return mix(colour, sign * (light + night * 0.35), within(top - 0.88, top - 0.28, uv.y, w.y));
}

void main() {
  vec3 v = normalize(eye - at), n = normalize(normal), t = vec3(-n.y, n.x, 0.0);
  int code = int(grid.w + 0.5), kind = code - (code / 8) * 8;
  Opening o;
  o.shop = (code / 8) - (code / 16) * 2 == 1;
  opening(uv, grid, thing.w, o.q, o.size, o.cell);
  o.door = o.size.y < 0.1;
  o.wide = kind == 3;
  o.w = max(fwidth(uv), vec2(0.004));
  o.slope = vec2(dot(v, t), v.z) / max(dot(v, n), 0.08);
  vec2 luck = vec2(dice(o.cell + thing.w * 61.0), dice(o.cell.yx * 1.7 + thing.w * 17.0));
  bool brick = int(thing.y + 0.5) == BRICK_;
  bool glass = kind == 4 && !o.door && o.size.x > 0.0, has = kind != 4 && o.size.x > 0.0;

  vec4 detail = surface(uv / matter.y, matter.x);
  vec4 large = surface(vec2(uv.x + thing.w * 40.0, uv.y * 0.6) / 17.0, CLOUDS);
  vec3 wall = tint.rgb * detail.r * 2.0;
  if (brick) wall = mix(wall, MORTAR, detail.g * 0.75);
  wall *= 1.0 + 0.22 * (large.r - 0.5);
  wall *= 1.0 - 0.28 * exp(-max(uv.y, 0.0) / 0.45) * (0.6 + 0.8 * large.g);
  vec3 stone = brick ? vec3(0.52, 0.48, 0.42) : min(tint.rgb * 1.18, vec3(0.80));
  if (has) {
    float half_width = o.size.x + 0.13;
    float frame_box = in_box(vec4(-half_width, half_width, o.size.y, o.size.z + 0.16), o.q, o.w);
    float lintel = in_box(vec4(-half_width, half_width, o.size.z, o.size.z + 0.22), o.q, o.w);
    wall = mix(wall, stone, frame_box * (kind == 2 ? 0.8 : 0.0));
    wall = mix(wall, stone, lintel * (brick ? 0.9 : 0.35));
    if (!o.door) {
      vec4 below = vec4(-o.size.x - 0.1, o.size.x + 0.1, o.size.y - 0.13, o.size.y);
      float sill = in_box(below, o.q, o.w);
      float drip = within(-o.size.x - 0.1, o.size.x + 0.1, o.q.x, 0.15);
      drip *= smoothstep(o.size.y - 0.55, o.size.y - 0.13, o.q.y) * step(o.q.y, o.size.y - 0.13);
      wall = mix(wall, stone * 1.06, sill) * (1.0 - 0.28 * drip);
    }
  }
  vec3 wn = normalize(n + (t * (detail.b - 0.5) + vec3(0, 0, detail.a - 0.5)) * matter.z * 0.55);
  float height = float(code / 16) * grid.y + grid.z;
  float open = (1.0 - 0.42 * exp(-max(uv.y, 0.0) / 1.1)) * mix(0.75, 1.0, min(uv.y / 14.0, 1.0));
  if (kind > 0) open *= 1.0 - 0.35 * smoothstep(height - 0.9, height + 0.1, uv.y);
  vec3 light = sun * max(dot(wn, sun_way), 0.0) * sunlight(at, n) + daylight(wn) * open;
  light += lamplight(shading(at.xy + n.xy * 1.2).g, 3.2, 2.4) * 0.9;
  vec3 colour = wall * light;

  float fresnel = pow(1.0 - max(dot(v, n), 0.0), 4.0);
  vec3 mirror = around(reflect(-v, n));
  mirror *= 0.75 + 0.5 * surface(vec2(uv.x * 0.08, uv.y * 0.05) + luck, CLOUDS).g;
  if (glass) colour = curtain(o, light, mirror, fresnel, luck.x);
  else if (o.size.x > 0.0) {
    vec3 joinery = thing.w > 0.66 ? vec3(0.20, 0.17, 0.15) : vec3(0.68, 0.66, 0.63);
    float hole = in_box(vec4(-o.size.x, o.size.x, o.size.y, o.size.z), o.q, o.w);
    colour = mix(colour, opened(o, stone, joinery, light, mirror, fresnel, luck), hole);
  }
  if (o.shop && uv.y < grid.z - 0.15 && uv.y > grid.z - 0.95) colour = board(colour, light, o.w);
  if (snow > 0.0 && has && !o.door) {
    vec4 ledge = vec4(-o.size.x - 0.1, o.size.x + 0.1, o.size.y - 0.02, o.size.y + 0.09);
    colour = mix(colour, SNOW * light, in_box(ledge, o.q, o.w));
  }
  o_colour = vec4(finish(colour, at), 1.0);
}
"""
