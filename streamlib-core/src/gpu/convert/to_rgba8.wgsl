// After source.wgsl. To R'G'B'. One invocation makes two by two pixels. Chroma is interpolated linearly between its samples:
// across as they are sited, down (4:2:0) half-way between two rows.

@group(1) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;

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

fn store(column: u32, row: u32, rgb: vec3f) {
    textureStore(dst, vec2u(column, row), vec4f(rgb, 1.0));
}

// Two pixels beside each other. Samples are written only within the picture.
fn store_pair(pair: u32, row: u32, left: vec3f, right: vec3f) {
    let column = 2u * pair;
    store(column, row, left);
    if column < last_pixel().x {
        store(column + 1u, row, right);
    }
}

fn store_yuv(pair: u32, row: u32, chroma: vec4f) {
    let luma = luma_pair(pair, row);
    store_pair(pair, row, transformed(vec3f(luma.x, chroma.xy)), transformed(vec3f(luma.y, chroma.zw)));
}

fn store_rgb(pair: u32, row: u32) {
    let column = 2u * pair;
    store_pair(pair, row, rgb_at(column, row), rgb_at(column + 1u, row));
}

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let pair = id.x;
    let top = 2u * id.y;
    let bottom = top + 1u;
    let last = last_pixel();
    if 2u * pair > last.x || top > last.y {
        return;
    }
    if packing == TRIPLES {
        store_rgb(pair, top);
        if bottom <= last.y {
            store_rgb(pair, bottom);
        }
        return;
    }
    if chroma_down == 2u {
        let near = 0.75 * chroma_pair(pair, id.y);
        store_yuv(pair, top, near + 0.25 * chroma_pair(pair, max(id.y, 1u) - 1u));
        if bottom <= last.y {
            store_yuv(pair, bottom, near + 0.25 * chroma_pair(pair, min(id.y + 1u, last_chroma().y)));
        }
        return;
    }
    store_yuv(pair, top, chroma_pair(pair, top));
    if bottom <= last.y {
        store_yuv(pair, bottom, chroma_pair(pair, bottom));
    }
}
