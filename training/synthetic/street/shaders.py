"""GLSL that tells what is where: vertices, facades' grids, ids, depth and motion."""

from .classes import Label
from .mesh import Material
from .shading import GROUND, LIGHT, SKY
from .shading_things import LEAVES, SOLIDS
from .shading_walls import WALLS
from .textures import NAMES

KINDS = ("ground", "walls", "solids", "leaves", "movers", "sky")

VERTEX = """
in vec4 p3d_Vertex, p3d_Color, ids, extra;
in vec3 p3d_Normal;
in vec2 p3d_MultiTexCoord0;
uniform mat4 p3d_ModelMatrix, p3d_ModelViewProjectionMatrix, was_world_clip, was_model;
uniform vec4 own, gait;
uniform vec3 paint;
out vec3 at, normal;
out vec2 uv;
out vec4 tint, across, is_clip, was_clip;
flat out vec4 thing, grid, matter;
flat out float glow;

vec3 turned(vec3 p, float pivot, float angle) {
  float c = cos(angle), s = sin(angle);
  vec2 d = vec2(p.y, p.z - pivot);
  return vec3(p.x, c * d.x - s * d.y, pivot + s * d.x + c * d.y);
}
// A limb's point in a phase of the walk: bent at its knee or elbow, swung at its hip or shoulder.
vec3 swung(vec3 p, float phase, float amount) {
  float bend = max(0.0, sin(phase + (extra.y > 0.0 ? 1.2 : 4.3416)));
  if (extra.z > 0.0) p = turned(p, extra.z, extra.w * (extra.w < 0.0 ? 0.1 + bend : 0.7) * amount);
  return turned(p, extra.x, extra.y * sin(phase) * amount);
}
void main() {
  int material = int(ids.y + 0.5);
  vec4 now = p3d_Vertex, was = p3d_Vertex;
  normal = p3d_Normal;
  thing = ids;
  tint = p3d_Color;
#ifdef MOVERS
  now.xyz = swung(now.xyz, gait.x, gait.y);
  was.xyz = swung(was.xyz, gait.z, gait.w);
  vec3 tip = p3d_Vertex.xyz + p3d_Normal * 0.01;
  normal = mat3(p3d_ModelMatrix) * (swung(tip, gait.x, gait.y) - now.xyz);
  thing.z = own.x;
  if (material == CAR_PAINT_) tint.rgb = paint;
#endif
  is_clip = p3d_ModelViewProjectionMatrix * now;
  at = (p3d_ModelMatrix * now).xyz;
#ifdef SKY
  was_clip = was_world_clip * vec4(p3d_Vertex.xyz, 0.0);
  is_clip.z = is_clip.w * 0.999999;
#else
  was_clip = was_world_clip * (was_model * was);
#endif
  gl_Position = is_clip;
  uv = p3d_MultiTexCoord0;
  grid = across = extra;
  matter = matters[material];
#ifdef LEAVES
  if (material == WOOD_) matter = vec4(PICKETS, 1.1, 0.5, 0.0);
  if (material == METAL_) matter = vec4(BARS, 0.95, 0.0, 0.0);
#endif
  glow = glows[material];
}
"""

FACADE = """
float dice(vec2 p) { return fract(sin(dot(p, vec2(12.9898, 78.233))) * 43758.5453); }

// The opening at a point of a wall (metres): the point from its middle, half its width, its bottom
// and top (below no width: none), and its cell. Returns 0: wall, 1: window, 2: door.
int opening(vec2 p, vec4 extra, float seed, out vec2 q, out vec3 size, out vec2 cell) {
  int code = int(extra.w + 0.5), kind = code - (code / 8) * 8;
  bool shop = (code / 8) - (code / 16) * 2 == 1, below = p.y < extra.z;
  float column = floor(p.x / extra.x);
  float row = below ? -1.0 : floor((p.y - extra.z) / extra.y);
  float y = below ? p.y : p.y - extra.z - row * extra.y;
  cell = vec2(column, row);
  q = vec2(p.x - (column + 0.5) * extra.x, y);
  float widest = extra.x * 0.42;
  size = kind == 1 ? vec3(min(0.55, widest), 0.85, 2.35)
    : kind == 2 ? vec3(min(0.5, widest), 0.22, 2.5) : vec3(widest, 0.85, 2.40);
  float turn = column - 4.0 * floor(column / 4.0);
  bool door = below && turn == floor(4.0 * dice(vec2(seed, 3.0)));
  if (door) size = vec3(0.58, 0.0, 2.35);
  else if (below && shop) size = vec3(extra.x * 0.45, 0.45, extra.z - 1.15);
  else if (below) size = vec3(min(0.6, extra.x * 0.4), 0.95, 2.5);
  if (kind == 0 || row >= float(code / 16)) { size = vec3(-9.0, 0.0, 0.0); return 0; }
  if (kind == 4 && !door) {
    size = vec3(extra.x * 0.5, 0.2, below ? extra.z : extra.y);
    return 0;
  }
  bool inside = abs(q.x) < size.x && y > size.y && y < size.z;
  return inside ? (door ? 2 : 1) : 0;
}
"""

# Motion in pixels, depth along the view, and the class + 32 * the instance.
IDS = """
uniform vec3 forward, eye;
uniform vec2 pixels;
uniform sampler2DArray surfaces;
in vec3 at;
in vec2 uv;
in vec4 is_clip, was_clip;
flat in vec4 thing, grid, matter;
out vec4 o_place;
void main() {
  float label = thing.x;
#ifdef LEAVES
  if (texture(surfaces, vec3(uv / matter.y, matter.x)).g < CUT) discard;
#endif
#ifdef WALLS
  vec2 q, cell;
  vec3 size;
  int part = opening(uv, grid, thing.w, q, size, cell);
  if (part > 0) label = part == 1 ? WINDOW : DOOR;
#endif
  vec2 motion = (was_clip.xy / was_clip.w - is_clip.xy / is_clip.w) * pixels;
#ifdef SKY
  float depth = 0.0;
#else
  float depth = dot(at - eye, forward);
#endif
  o_place = vec4(motion, depth, label + 32.0 * thing.z);
}
"""

SHADOW = """
uniform sampler2DArray surfaces;
in vec2 uv;
flat in vec4 matter;
out vec4 o_nothing;
void main() {
#ifdef LEAVES
  if (texture(surfaces, vec3(uv / matter.y, matter.x)).g < CUT) discard;
#endif
  o_nothing = vec4(1.0);
}
"""

_COLOURS = {
    "ground": GROUND,
    "walls": WALLS,
    "solids": SOLIDS,
    "leaves": LEAVES,
    "movers": SOLIDS,
    "sky": SKY,
}

# By Material: layer of `surfaces`, metres of a tile, how rough it feels, how it mirrors.
_MATTERS = {
    Material.ASPHALT: ("asphalt", 5.0, 0.6, 0.04),
    Material.COBBLES: ("cobbles", 2.2, 1.0, 0.05),
    Material.MARKING: ("asphalt", 5.0, 0.5, 0.04),
    Material.PAVING: ("paving", 2.4, 0.7, 0.04),
    Material.STONE: ("stone", 2.0, 0.5, 0.03),
    Material.PLASTER: ("plaster", 5.0, 0.8, 0.02),
    Material.BRICK: ("bricks", 1.9, 0.8, 0.02),
    Material.GLASS: ("stone", 6.0, 0.0, 0.30),
    Material.TILES: ("tiles", 2.6, 1.0, 0.05),
    Material.GRAVEL: ("asphalt", 4.0, 1.0, 0.02),
    Material.GRASS: ("grass", 2.4, 1.0, 0.0),
    Material.LEAVES: ("leaves", 1.0, 0.5, 0.02),
    Material.WOOD: ("wood", 1.6, 0.8, 0.02),
    Material.METAL: ("stone", 3.0, 0.1, 0.18),
    Material.CAR_PAINT: ("stone", 6.0, 0.0, 0.36),
    Material.CAR_GLASS: ("stone", 6.0, 0.0, 0.50),
    Material.RUBBER: ("stone", 1.0, 0.4, 0.02),
    Material.HEADLIGHT: ("stone", 1.0, 0.0, 0.4),
    Material.TAILLIGHT: ("stone", 1.0, 0.0, 0.3),
    Material.SKIN: ("stone", 0.7, 0.1, 0.02),
    Material.CLOTH: ("wood", 0.5, 0.5, 0.0),
    Material.LAMP: ("stone", 1.0, 0.0, 0.2),
    Material.LENS: ("stone", 1.0, 0.0, 0.1),
    Material.SIGN: ("stone", 3.0, 0.0, 0.08),
    Material.HEDGE: ("foliage", 1.6, 0.6, 0.0),
}
_GLOWS = {Material.HEADLIGHT: 1, Material.TAILLIGHT: 2, Material.LAMP: 3, Material.LENS: 4}


def vertex_source(kind: str) -> str:
    """The vertex shader for a kind of mesh."""
    return _head(kind) + _tables() + VERTEX


def fragment_source(kind: str, purpose: str) -> str:
    """The fragment shader for a kind of mesh and a purpose: ids, colour or shadow."""
    body = {"ids": IDS, "shadow": SHADOW}.get(purpose) or LIGHT + _COLOURS[kind]
    return _head(kind) + (FACADE if kind == "walls" else "") + body


def _head(kind: str) -> str:
    values: dict[str, float | int] = {
        kind.upper(): 1,
        "CUT": 0.42,
        "WINDOW": float(Label.WINDOW),
        "DOOR": float(Label.DOOR),
    }
    values |= {name.upper(): float(NAMES.index(name)) for name in ("pickets", "bars", "clouds")}
    values |= {f"{name}_": int(value) for name, value in Material.__members__.items()}
    return "#version 150\n" + "".join(f"#define {key} {value}\n" for key, value in values.items())


def _tables() -> str:
    count = len(Material)
    rows = ", ".join(
        f"vec4({NAMES.index(name):.1f}, {size:.2f}, {rough:.2f}, {mirror:.2f})"
        for name, size, rough, mirror in (_MATTERS[material] for material in Material)
    )
    glows = ", ".join(f"{_GLOWS.get(material, 0):.1f}" for material in Material)
    return (
        f"const vec4 matters[{count}] = vec4[{count}]({rows});\n"
        f"const float glows[{count}] = float[{count}]({glows});\n"
    )
