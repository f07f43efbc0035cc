// From R'G'B' to 4:2:0, as a program by hand has it: one invocation makes two by two pixels. Chroma is sited left, with weights 1 2 1.

struct Parameters {
    luma: vec4f,
    cb: vec4f,
    cr: vec4f,
    size: vec2u,
}

@group(0) @binding(0) var src: texture_2d<f32>;
@group(1) @binding(0) var dst: texture_storage_2d<r8unorm, write>;
@group(2) @binding(0) var<uniform> parameters: Parameters;

fn colour(x: u32, y: u32) -> vec4f {
    return vec4f(textureLoad(src, vec2u(x, y), 0).rgb, 1.0);
}

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let blocks = parameters.size / 2u;
    if any(id.xy >= blocks) {
        return;
    }
    let at = 2u * id.xy;
    let before = max(at.x, 1u) - 1u;
    let a = colour(at.x, at.y);
    let b = colour(at.x + 1u, at.y);
    let c = colour(at.x, at.y + 1u);
    let d = colour(at.x + 1u, at.y + 1u);
    textureStore(dst, at, vec4f(dot(a, parameters.luma)));
    textureStore(dst, at + vec2u(1u, 0u), vec4f(dot(b, parameters.luma)));
    textureStore(dst, at + vec2u(0u, 1u), vec4f(dot(c, parameters.luma)));
    textureStore(dst, at + vec2u(1u, 1u), vec4f(dot(d, parameters.luma)));
    let left = colour(before, at.y) + colour(before, at.y + 1u);
    let mean = 0.25 * (a + c) + 0.125 * (b + d + left);
    let cb = vec2u(id.x, parameters.size.y + id.y);
    textureStore(dst, cb, vec4f(dot(mean, parameters.cb)));
    textureStore(dst, cb + vec2u(blocks.x, 0u), vec4f(dot(mean, parameters.cr)));
}
