"""GLSL that paints things: roofs, poles, cars and people; and what is cut out of cards."""

SOLIDS = """
void main() {
  vec3 v = normalize(eye - at), n = normalize(normal);
  if (dot(n, v) < -0.2) n = -n;
  int material = int(thing.y + 0.5);
  bool car = material >= CAR_PAINT_ && material <= TAILLIGHT_;
  vec3 t = abs(n.z) > 0.7 ? vec3(1, 0, 0) : normalize(vec3(-n.y, n.x, 0.001));
  vec4 detail = surface(uv / matter.y, matter.x);
  vec3 albedo = tint.rgb * mix(1.0, detail.r * 2.0, 0.9);
  if (material == BRICK_) albedo = mix(albedo, MORTAR, detail.g * 0.75);
  vec3 wn = n + (t * (detail.b - 0.5) + cross(n, t) * (detail.a - 0.5)) * matter.z * 0.6;
  wn = normalize(wn);
  float cover = 0.0;
  if (snow > 0.0) {
    float lies = material == CAR_PAINT_ ? 0.55 : car ? 0.0 : 1.0;
    if (material == SKIN_ || material == CLOTH_) lies = 0.0;
#ifdef MOVERS
    lies *= 0.35;
#endif
    cover = smoothstep(0.35, 0.75, n.z + 0.25 * (detail.r - 0.5)) * lies;
    albedo = mix(albedo, SNOW, cover);
  }
  float lit = sunlight(at, n);
  float open = tint.a * (1.0 - 0.45 * exp(-max(at.z - 0.1, 0.0) / 0.4) * (1.0 - 0.5 * n.z));
  if (car && n.z < -0.3) open *= 0.3;
  vec3 light = sun * max(dot(wn, sun_way), 0.0) * lit + daylight(wn) * open;
  light += lamplight(shading(at.xy).g, 3.0, 2.2) * (0.65 + 0.35 * n.z);
  vec3 colour = albedo * light * (1.0 - 0.25 * wet * (car ? 0.0 : 1.0));
  float clear = 0.28;
  if (material == CAR_GLASS_) {
    clear = 0.18;
    colour *= 0.35 + 1.3 * smoothstep(0.9, 1.5, at.z) * (0.6 + 0.8 * detail.r);
  }
  float fresnel = pow(1.0 - max(dot(v, n), 0.0), 5.0);
  float mirror = (matter.w * clear + fresnel * min(1.0, matter.w * 2.2)) * (1.0 - cover);
  vec3 way = reflect(-v, n);
  colour = mix(colour, around(way) * mix(0.6, 1.0, open), min(mirror, 0.9));
  float gloss = matter.w > 0.25 ? 180.0 : 24.0;
  colour += sun * lit * pow(max(dot(way, sun_way), 0.0), gloss) * matter.w * (1.0 - cover) * 2.0;
  float on = min(1.0, night * 2.0);
  if (glow == 1.0) colour += vec3(2.6, 2.4, 2.0) * on * smoothstep(0.0, 0.6, dot(v, n));
  if (glow == 2.0) colour += vec3(1.5, 0.04, 0.03) * on;
  if (glow == 3.0) colour += LAMP * 3.0 * on;
  if (glow == 4.0 && thing.w > 0.5) colour += tint.rgb * 1.4;
  o_colour = vec4(finish(colour, at), 1.0);
}
"""

LEAVES = """
void main() {
  vec4 detail = surface(uv / matter.y, matter.x);
  if (detail.g < CUT) discard;
  vec3 v = normalize(eye - at), n = normalize(normal);
  int material = int(thing.y + 0.5);
  bool leaf = material == LEAVES_;
  if (!leaf && dot(n, v) < 0.0) n = -n;
  vec3 hue = tint.rgb;
  if (leaf) hue *= mix(vec3(1.15, 1.0, 0.8), vec3(0.85, 1.0, 0.95), thing.w);
  vec3 albedo = hue * (0.35 + 1.3 * detail.r);
  n = normalize(n + vec3(detail.ba - 0.5, 0.0) * 0.8);
  if (snow > 0.0) {
    float cover = smoothstep(0.25, 0.8, n.z + 0.5 * (detail.r - 0.4)) * (leaf ? 0.85 : 0.3);
    albedo = mix(albedo * vec3(0.75, 0.66, 0.62), SNOW, cover);
  }
  float face = max(dot(n, sun_way), 0.0);
  float lit = sunlight(at, n * (leaf ? 2.0 : 1.0));
  float through = leaf ? 0.30 - 0.30 * face + pow(max(-dot(v, sun_way), 0.0), 3.0) * 0.5 : 0.0;
  vec3 light = sun * (face + through) * mix(0.5, 1.0, lit) + daylight(n) * tint.a;
  light += lamplight(shading(at.xy).g, 4.0, 2.5);
  o_colour = vec4(finish(albedo * light * tint.a * (1.0 - 0.2 * wet), at), 1.0);
}
"""
