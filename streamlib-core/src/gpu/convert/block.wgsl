// After source.wgsl. The colours of two by two pixels, whatever the source, as R'G'B' and alpha. Beyond the picture its edge is
// repeated. Chroma is interpolated linearly between its samples: across as they are sited, down (4:2:0) half-way between two rows.

struct Block {
    top_left: vec4f,
    top_right: vec4f,
    bottom_left: vec4f,
    bottom_right: vec4f,
}

// A pixel of a source that is R'G'B'.
fn rgb_at(column: u32, row: u32) -> vec4f {
    if packing == PIXELS {
        return textureLoad(src, vec2u(column, row), 0);
    }
    let byte = 3u * column;
    let near = textureLoad(src, vec2u(byte / 4u, row), 0);
    let far = textureLoad(src, vec2u(byte / 4u + 1u, row), 0);
    let early = select(near.gba, near.rgb, byte % 4u == 0u);
    let late = select(vec3f(near.a, far.rg), vec3f(near.ba, far.r), byte % 4u == 2u);
    let rgb = select(late, early, byte % 4u < 2u);
    return vec4f(select(rgb, rgb.bgr, is_reversed), 1.0);
}

// Cb and Cr at the pixel columns `2 * pair` and `2 * pair + 1`, in a row of chroma.
fn chroma_pair(pair: u32, row: u32) -> vec4f {
    if chroma_across == 0u {
        return vec4f(NEUTRAL, NEUTRAL);
    }
    if chroma_across == 1u {
        let left = 2u * pair;
        return vec4f(chroma_at(left, row), chroma_at(min(left + 1u, last_chroma().x), row));
    }
    let here = chroma_at(pair, row);
    let right = chroma_at(min(pair + 1u, last_chroma().x), row);
    if is_centred {
        let left = chroma_at(max(pair, 1u) - 1u, row);
        return 0.75 * vec4f(here, here) + 0.25 * vec4f(left, right);
    }
    return vec4f(here, 0.5 * (here + right));
}

fn decoded(luma: f32, chroma: vec2f) -> vec4f {
    return vec4f(vec4f(luma, chroma, 1.0) * parameters.decode, 1.0);
}

// The block's colours as the source has them.
fn block_at(block: vec2u) -> Block {
    let left = 2u * block.x;
    let top = 2u * block.y;
    let bottom = min(top + 1u, last_pixel().y);
    if packing == PIXELS || packing == TRIPLES {
        let right = min(left + 1u, last_pixel().x);
        return Block(rgb_at(left, top), rgb_at(right, top), rgb_at(left, bottom), rgb_at(right, bottom));
    }
    var upper: vec4f;
    var lower: vec4f;
    if chroma_down == 2u {
        let near = 0.75 * chroma_pair(block.x, block.y);
        upper = near + 0.25 * chroma_pair(block.x, max(block.y, 1u) - 1u);
        lower = near + 0.25 * chroma_pair(block.x, min(block.y + 1u, last_chroma().y));
    } else {
        upper = chroma_pair(block.x, top);
        lower = chroma_pair(block.x, bottom);
    }
    // The padding of odd pictures repeats their edge, its chroma too.
    if bottom == top {
        lower = upper;
    }
    if left == last_pixel().x {
        upper = upper.xyxy;
        lower = lower.xyxy;
    }
    let above = luma_pair(block.x, top);
    let below = luma_pair(block.x, bottom);
    return Block(
        decoded(above.x, upper.xy), decoded(above.y, upper.zw), decoded(below.x, lower.xy), decoded(below.y, lower.zw),
    );
}

// The same after what pixel shaders make of it.
fn staged_block(block: vec2u) -> Block {
    let colours = block_at(block);
    let first = 2u * block;
    let last = min(first + 1u, last_pixel());
    return Block(
        staged(colours.top_left, first),
        staged(colours.top_right, vec2u(last.x, first.y)),
        staged(colours.bottom_left, vec2u(first.x, last.y)),
        staged(colours.bottom_right, last),
    );
}
