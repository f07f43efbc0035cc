// After source.wgsl. To 4:2:0. One invocation makes two by two luma samples and the chroma sample that belongs to them. Odd
// pictures are padded to even by repeating the edge. Chroma that is halved across already keeps its site; other chroma is
// sited left: weights 1 2 1 about the even column. Down, rows are averaged in twos.

@group(1) @binding(0) var dst: texture_storage_2d<r8unorm, write>;

// Whether Cb and Cr alternate, rather than lie in two halves.
override is_interleaved: bool;

// The colour at the even column of a pair, filtered with weights 1 2 1: R'G'B', or in y and z Cb and Cr.
fn filtered(pair: u32, row: u32) -> vec3f {
    let here = 2u * pair;
    let left = max(here, 1u) - 1u;
    let right = min(here + 1u, last_pixel().x);
    if packing == PLANES {
        return vec3f(0.0, 0.5 * chroma_at(here, row) + 0.25 * (chroma_at(left, row) + chroma_at(right, row)));
    }
    return 0.5 * rgb_at(here, row) + 0.25 * (rgb_at(left, row) + rgb_at(right, row));
}

// Cb and Cr of a block, whose rows of pixels are `top` and `bottom`.
fn block_chroma(block: vec2u, top: u32, bottom: u32) -> vec2f {
    if chroma_across == 0u {
        return NEUTRAL;
    }
    if chroma_down == 2u {
        return chroma_at(block.x, block.y);
    }
    if chroma_across == 2u {
        return 0.5 * (chroma_at(block.x, top) + chroma_at(block.x, bottom));
    }
    let colour = 0.5 * (filtered(block.x, top) + filtered(block.x, bottom));
    if packing == PLANES {
        return colour.yz;
    }
    return transformed(colour).yz;
}

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let last = last_pixel();
    let blocks = last / 2u + 1u;
    if any(id.xy >= blocks) {
        return;
    }
    let at = 2u * id.xy;
    let bottom = min(at.y + 1u, last.y);
    let upper = luma_pair(id.x, at.y);
    let lower = luma_pair(id.x, bottom);
    textureStore(dst, at, vec4f(upper.x));
    textureStore(dst, at + vec2u(1u, 0u), vec4f(upper.y));
    textureStore(dst, at + vec2u(0u, 1u), vec4f(lower.x));
    textureStore(dst, at + vec2u(1u, 1u), vec4f(lower.y));
    let chroma = block_chroma(id.xy, at.y, bottom);
    let cb = vec2u(select(id.x, 2u * id.x, is_interleaved), 2u * blocks.y + id.y);
    let cr = cb + vec2u(select(blocks.x, 1u, is_interleaved), 0u);
    textureStore(dst, cb, vec4f(chroma.x));
    textureStore(dst, cr, vec4f(chroma.y));
}
