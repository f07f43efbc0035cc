// To planar 4:2:0. One invocation makes two by two luma samples and the chroma sample that belongs to them, sited as in MPEG-2
// and H.264's default: horizontally on the even column (weights 1 2 1), vertically between the two rows. Odd sizes are padded
// to even by repeating the edge.

struct Parameters {
    luma: vec4f,
    cb: vec4f,
    cr: vec4f,
    size: vec2u,
    source: u32, // 0 rgba8, 1 yuyv, 2 nv12
}

@group(0) @binding(0) var src: texture_2d<f32>;
@group(1) @binding(0) var dst: texture_storage_2d<r8unorm, write>;
@group(2) @binding(0) var<uniform> parameters: Parameters;

// Y'CbCr of a pixel, repeated beyond the edge. Chroma of subsampled sources is that of the pair's even column.
fn yuv_at(x: i32, y: i32) -> vec3f {
    let last = vec2i(parameters.size) - 1;
    let at = vec2u(clamp(vec2i(x, y), vec2i(0), last));
    switch parameters.source {
        case 1u: {
            let pair = textureLoad(src, vec2u(at.x / 2u, at.y), 0);
            return vec3f(select(pair.z, pair.x, at.x % 2u == 0u), pair.yw);
        }
        case 2u: {
            let even = (parameters.size + 1u) / 2u;
            let chroma = vec2u(at.x / 2u * 2u, 2u * even.y + at.y / 2u);
            return vec3f(
                textureLoad(src, at, 0).r,
                textureLoad(src, chroma, 0).r,
                textureLoad(src, chroma + vec2u(1u, 0u), 0).r,
            );
        }
        default: {
            let rgb = vec4f(textureLoad(src, at, 0).rgb, 1.0);
            return vec3f(dot(parameters.luma, rgb), dot(parameters.cb, rgb), dot(parameters.cr, rgb));
        }
    }
}

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let blocks = (parameters.size + 1u) / 2u;
    if any(id.xy >= blocks) {
        return;
    }
    let x = i32(2u * id.x);
    let y = i32(2u * id.y);
    let top = yuv_at(x, y);
    let top_right = yuv_at(x + 1, y);
    let bottom = yuv_at(x, y + 1);
    let bottom_right = yuv_at(x + 1, y + 1);
    var chroma = (top.yz + bottom.yz) / 2.0;
    if parameters.source == 0u {
        let left = yuv_at(x - 1, y).yz + yuv_at(x - 1, y + 1).yz;
        chroma = (left + 2.0 * (top.yz + bottom.yz) + top_right.yz + bottom_right.yz) / 8.0;
    }
    let at = 2u * id.xy;
    textureStore(dst, at, vec4f(top.x));
    textureStore(dst, at + vec2u(1u, 0u), vec4f(top_right.x));
    textureStore(dst, at + vec2u(0u, 1u), vec4f(bottom.x));
    textureStore(dst, at + vec2u(1u, 1u), vec4f(bottom_right.x));
    let plane = vec2u(id.x, 2u * blocks.y + id.y);
    textureStore(dst, plane, vec4f(chroma.x));
    textureStore(dst, plane + vec2u(blocks.x, 0u), vec4f(chroma.y));
}
