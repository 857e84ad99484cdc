"""GLSL that paints the sky and the ground, and what all surfaces share: sun, shadows, haze."""

LIGHT = """
uniform sampler2DArray surfaces;
uniform sampler2DShadow sun_map, near_map;
uniform sampler2D shade_map, mirror_map;
uniform mat4 sun_clip, near_clip;
uniform vec4 shade_box;
uniform vec3 eye, sun_way, sun, zenith, horizon, ambient, bounce, haze;
uniform float sight, clouds, exposure, softness, wet, snow, night, mirrored;
uniform vec2 frame;
in vec3 at, normal;
in vec2 uv;
in vec4 tint, across;
flat in vec4 thing, grid, matter;
flat in float glow;
out vec4 o_colour;

const vec3 LAMP = vec3(1.9, 1.15, 0.55);
const vec3 SNOW = vec3(0.80, 0.83, 0.88);
const vec3 MORTAR = vec3(0.42, 0.39, 0.35);

vec4 surface(vec2 p, float layer) { return texture(surfaces, vec3(p, layer)); }

// Openness to the sky and light of the lamps at a place of the plan.
vec2 shading(vec2 p) { return texture(shade_map, (p - shade_box.xy) * shade_box.zw).rg; }

vec3 heaven(vec3 way) {
  vec3 sky = mix(horizon, zenith, pow(max(way.z, 0.0), 0.55));
  return sky + sun * 0.05 * pow(max(dot(way, sun_way), 0.0), 6.0);
}

// What a mirror shows: sky above, the fronts of a street at the height of the eye, ground below.
vec3 around(vec3 way) {
  vec3 fronts = ambient * 0.22 + bounce * 0.25;
  vec3 sky = heaven(vec3(way.xy, abs(way.z)));
  float roofs = way.z + 0.12 * sin(atan(way.y, way.x) * 9.0);
  vec3 up = mix(fronts, sky, smoothstep(0.10, 0.55, roofs));
  return mix(bounce * 0.45, up, smoothstep(-0.12, 0.05, way.z));
}

float lookup(sampler2DShadow map, mat4 clip, vec3 p, float reach) {
  vec4 c = clip * vec4(p, 1.0);
  vec3 s = c.xyz / c.w * 0.5 + 0.5;
  if (s.x < 0.01 || s.y < 0.01 || s.x > 0.99 || s.y > 0.99) return 1.0;
  vec2 d = reach / vec2(textureSize(map, 0));
  return (texture(map, s + vec3(d.x, 0.6 * d.y, 0)) + texture(map, s + vec3(-d.x, 0.6 * d.y, 0))
    + texture(map, s + vec3(0, -1.2 * d.y, 0))) / 3.0;
}

// How much of the sun reaches a point: of what stands still, and of what moves.
float sunlight(vec3 p, vec3 n) {
  float still = lookup(sun_map, sun_clip, p + n * 0.16 + sun_way * 0.18, 1.2 * softness);
  return min(still, lookup(near_map, near_clip, p + n * 0.08 + sun_way * 0.10, 1.5 * softness));
}

vec3 daylight(vec3 n) { return mix(bounce, ambient, 0.5 + 0.5 * n.z); }

// Light of the lamps at a height around `middle`, fading over `reach` metres.
vec3 lamplight(float lamps, float middle, float reach) {
  float above = max(at.z - middle, 0.0) / reach;
  return LAMP * night * lamps * exp(-above * above);
}

// Haze, exposure, the curve of a film (Narkowicz, ACES, 2015) and the display's gamma.
vec3 finish(vec3 colour, vec3 p) {
  colour = mix(colour, haze, 1.0 - exp2(-length(p - eye) / sight)) * exposure;
  colour = colour * (2.51 * colour + 0.03) / (colour * (2.43 * colour + 0.59) + 0.14);
  return pow(clamp(colour, 0.0, 1.0), vec3(1.0 / 2.2));
}
"""

SKY = """
void main() {
  vec3 way = normalize(at - eye);
  vec2 p = way.xy / (way.z + 0.18);
  vec4 large = surface(p * 0.16 + 0.3, CLOUDS), small = surface(p * 0.55, CLOUDS);
  float cover = smoothstep(0.52, 0.80, large.g + 0.35 * (small.g - 0.5));
  cover *= smoothstep(0.0, 0.25, way.z) * clouds;
  vec3 lit = mix(horizon * 1.05 + 0.05, ambient + sun * 0.38, 0.45 + 0.3 * (large.r - 0.5));
  vec3 sky = mix(heaven(way), lit, cover);
  sky = mix(sky, horizon, exp(-max(way.z, 0.0) * 9.0) * 0.8);
  o_colour = vec4(finish(sky, eye), 1.0);
}
"""

GROUND = """
void main() {
  vec3 v = normalize(eye - at);
  int material = int(thing.y + 0.5);
  bool road = material <= MARKING_;
  vec4 detail = surface(uv / matter.y, matter.x);
  vec4 large = surface(at.xy / 31.0, CLOUDS);
  vec2 shade = shading(at.xy);
  float stains = 1.0 + 0.34 * (large.r - 0.5);
  if (road) stains += 0.22 * (surface(at.yx / 9.0, CLOUDS).r - 0.5);
  vec3 albedo = tint.rgb * detail.r * 2.0 * stains;
  if (material == MARKING_)
    albedo = mix(vec3(0.12), albedo, min(0.55 + 1.1 * detail.r * stains - 0.3 * large.g, 1.0));
  if (material == GRASS_)
    albedo *= mix(vec3(1.12, 0.98, 0.72), vec3(0.9, 1.02, 0.9), large.g);

  float wheel = abs(abs(across.x) - across.z) - 0.78;
  float tracks = exp(-wheel * wheel * 7.0) * across.w;
  float gutter = road && across.y > 0.0 ? smoothstep(across.y - 0.7, across.y, abs(across.x)) : 0.0;
  albedo *= 1.0 - 0.16 * tracks - 0.22 * gutter;
  vec3 n = normal.z < 0.5 ? normal : normalize(vec3((detail.ba - 0.5) * matter.z * 0.9, 1.0));

  float cover = 0.0;
  if (snow > 0.0) {
    float driven = road ? mix(0.25, exp(-wheel * wheel * 3.2), across.w) : 0.0;
    float fall = material == MARKING_ ? 0.25 - 0.3 * driven
      : road ? 0.62 - 0.75 * driven + 0.35 * gutter
      : material == GRASS_ ? 1.0 : 0.78;
    fall += 0.5 * (large.g - 0.5) + 0.9 * (surface(at.xy / 6.0, CLOUDS).g - 0.5);
    cover = smoothstep(0.3, 0.7, fall + 0.35 * (detail.r - 0.5));
    albedo = mix(albedo * 0.75, SNOW * (0.93 + 0.14 * detail.r), cover);
    n = normalize(mix(n, vec3(0, 0, 1), 0.7 * cover));
  }
  float damp = wet * (road ? 1.0 : material == GRASS_ ? 0.2 : 0.65);
  albedo *= 1.0 - 0.48 * damp;

  float lit = sunlight(at, vec3(0, 0, 1));
  vec3 light = sun * max(dot(n, sun_way), 0.0) * lit * mix(1.0, shade.r, 0.3);
  light += daylight(n) * shade.r + LAMP * night * shade.g * 2.0;
  vec3 colour = albedo * light;

  float grazing = pow(1.0 - max(v.z, 0.0), 5.0);
  float pool = damp * smoothstep(0.38, 0.62, large.g + 0.25 * tracks + 0.2 * gutter);
  float mirror = mix(0.05 + 0.35 * grazing, 0.10 + 0.75 * grazing, pool) * damp;
  mirror = min(mirror + (1.0 - damp) * (1.0 - cover) * 0.22 * grazing, 0.9);
  vec3 way = reflect(-v, normalize(mix(n, vec3(0, 0, 1), 0.5 + 0.5 * pool)));
  colour += sun * lit * pow(max(dot(way, sun_way), 0.0), 40.0) * (0.05 + 0.3 * damp);
  if (mirrored < 0.5) {
    vec3 seen = around(way) * mix(0.55, 1.0, shade.r);
    o_colour = vec4(finish(mix(colour, seen, mirror), at), 1.0);
    return;
  }
  vec2 ripple = (detail.ba - 0.5) * (0.02 + 0.06 * (1.0 - pool)) * vec2(0.5, 1.0);
  vec3 image = texture(mirror_map, gl_FragCoord.xy / frame + ripple).rgb;
  o_colour = vec4(mix(finish(colour, at), image * 0.92, mirror), 1.0);
}
"""
