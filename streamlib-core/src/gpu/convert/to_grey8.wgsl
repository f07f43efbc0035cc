// After unstaged.wgsl. To luma alone. One invocation makes two by two pixels.

@group(1) @binding(0) var dst: texture_storage_2d<r8unorm, write>;

// Whether luma has to be made of colours: the source is R'G'B', or pixel shaders change it.
override is_encoded: bool;

fn luma_of(colour: vec4f) -> f32 {
    return dot(vec4f(colour.rgb, 1.0), parameters.encode[0]);
}

// Luma of the block, row by row.
fn block_luma(block: vec2u) -> vec4f {
    if is_encoded {
        let colours = staged_block(block);
        return vec4f(
            luma_of(colours.top_left), luma_of(colours.top_right), luma_of(colours.bottom_left), luma_of(colours.bottom_right),
        );
    }
    return vec4f(luma_pair(block.x, 2u * block.y), luma_pair(block.x, min(2u * block.y + 1u, last_pixel().y)));
}

@compute @workgroup_size(tile_width, tile_height)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let first = 2u * id.xy;
    let last = last_pixel();
    if any(first > last) {
        return;
    }
    let luma = block_luma(id.xy);
    let is_wide = first.x < last.x;
    let is_high = first.y < last.y;
    textureStore(dst, first, vec4f(luma.x));
    if is_wide {
        textureStore(dst, first + vec2u(1u, 0u), vec4f(luma.y));
    }
    if is_high {
        textureStore(dst, first + vec2u(0u, 1u), vec4f(luma.z));
    }
    if is_wide && is_high {
        textureStore(dst, first + 1u, vec4f(luma.w));
    }
}
