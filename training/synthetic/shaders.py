"""The two programs that draw a person."""

VERTEX = """#version 330
uniform mat4 now[31]; uniform mat4 was[31]; uniform mat4 camera; uniform float size;
in vec3 point; in vec3 normal; in vec2 uv; in vec4 bones; in vec4 weights; in float part;
out vec3 N; out vec2 T; out vec2 M; flat out float P; out vec3 X;
void main() {
    ivec4 b = ivec4(bones + 0.5);
    mat4 a = now[b.x] * weights.x + now[b.y] * weights.y + now[b.z] * weights.z
        + now[b.w] * weights.w;
    mat4 o = was[b.x] * weights.x + was[b.y] * weights.y + was[b.z] * weights.z
        + was[b.w] * weights.w;
    vec4 world = a * vec4(point, 1);
    vec4 here = camera * world;
    vec4 there = camera * (o * vec4(point, 1));
    gl_Position = here;
    M = (there.xy / there.w - here.xy / here.w) * vec2(0.5, -0.5) * size;
    N = mat3(a) * normal; T = uv; P = part; X = world.xyz;
}
"""

# Linear light; a warm key from the upper left front, a cool fill from the right, a rim from behind.
FRAGMENT = """#version 330
uniform sampler2D image; uniform float gloss; uniform float floor_z; uniform bool soft;
in vec3 N; in vec2 T; in vec2 M; flat in float P; in vec3 X;
layout(location = 0) out vec4 colour;
layout(location = 1) out float part;
layout(location = 2) out vec2 motion;
void main() {
    vec4 a = texture(image, T);
    if (soft ? (a.a < 0.02 || a.a >= 0.6) : a.a < 0.6) discard;
    vec3 n = normalize(N);
    if (n.y > 0.25 && !gl_FrontFacing) n = -n;
    vec3 base = pow(a.rgb, vec3(2.2));
    vec3 eye = vec3(0, -1, 0);
    vec3 key = normalize(vec3(-0.55, -0.75, 0.62));
    vec3 fill = normalize(vec3(0.85, -0.5, 0.1));
    vec3 rim = normalize(vec3(0.5, 0.75, 0.45));
    float wrap = clamp((dot(n, key) + 0.3) / 1.3, 0, 1);
    float sky = 0.5 + 0.5 * n.z;
    float near_floor = clamp((X.z - floor_z) / 0.5, 0, 1);
    vec3 light = vec3(1.0, 0.95, 0.88) * 1.0 * wrap
        + vec3(0.72, 0.82, 1.0) * 0.24 * max(dot(n, fill), 0)
        + vec3(0.95, 0.97, 1.0) * 0.25 * max(dot(n, rim), 0)
        + mix(vec3(0.17, 0.15, 0.14), vec3(0.34, 0.36, 0.40), sky) * (0.7 + 0.3 * near_floor);
    float edge = pow(1 - clamp(dot(n, eye), 0, 1), 4);
    float spark = pow(max(dot(n, normalize(key + eye)), 0), 28);
    vec3 lit = base * (light + edge * 0.12) + gloss * (spark + 0.05 * edge);
    lit = pow(clamp(lit, 0, 1), vec3(1 / 2.2));
    float alpha = soft ? a.a / 0.6 : 1;
    colour = vec4(lit * alpha, alpha);
    part = P / 255.0;
    motion = M;
}
"""
