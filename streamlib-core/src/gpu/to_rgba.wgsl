// Y'CbCr to R'G'B'. Chroma is sited as in MPEG-2 and H.264's default: horizontally on the even columns, vertically (4:2:0)
// half-way between two rows; it is interpolated linearly between its sites.

struct Parameters {
    red: vec4f,
    green: vec4f,
    blue: vec4f,
    size: vec2u,
    source: u32, // 1 yuyv, 2 nv12, 3 i420
}

@group(0) @binding(0) var src: texture_2d<f32>;
@group(1) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
@group(2) @binding(0) var<uniform> parameters: Parameters;

// Chroma at column `x` and row `y` of the chroma planes.
fn chroma_at(x: u32, y: u32) -> vec2f {
    let even = (parameters.size + 1u) / 2u;
    let column = min(x, even.x - 1u);
    switch parameters.source {
        case 1u: {
            return textureLoad(src, vec2u(column, y), 0).yw;
        }
        case 2u: {
            let at = vec2u(2u * column, 2u * even.y + y);
            return vec2f(textureLoad(src, at, 0).r, textureLoad(src, at + vec2u(1u, 0u), 0).r);
        }
        default: {
            let at = vec2u(column, 2u * even.y + y);
            return vec2f(textureLoad(src, at, 0).r, textureLoad(src, at + vec2u(even.x, 0u), 0).r);
        }
    }
}

// Chroma at pixel column `x` of chroma row `y`.
fn chroma_row(x: u32, y: u32) -> vec2f {
    let left = chroma_at(x / 2u, y);
    if x % 2u == 0u {
        return left;
    }
    return (left + chroma_at(x / 2u + 1u, y)) / 2.0;
}

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let at = id.xy;
    if any(at >= parameters.size) {
        return;
    }
    var luma: f32;
    var chroma: vec2f;
    if parameters.source == 1u {
        let pair = textureLoad(src, vec2u(at.x / 2u, at.y), 0);
        luma = select(pair.z, pair.x, at.x % 2u == 0u);
        chroma = chroma_row(at.x, at.y);
    } else {
        luma = textureLoad(src, at, 0).r;
        let near = at.y / 2u;
        let last = (parameters.size.y + 1u) / 2u - 1u;
        let far = select(min(near + 1u, last), max(near, 1u) - 1u, at.y % 2u == 0u);
        chroma = 0.75 * chroma_row(at.x, near) + 0.25 * chroma_row(at.x, far);
    }
    let yuv = vec4f(luma, chroma, 1.0);
    let rgb = vec3f(dot(parameters.red, yuv), dot(parameters.green, yuv), dot(parameters.blue, yuv));
    textureStore(dst, at, vec4f(clamp(rgb, vec3f(0.0), vec3f(1.0)), 1.0));
}
