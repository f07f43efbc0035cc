// After unstaged.wgsl. To R'G'B' and alpha. One invocation makes two by two pixels.

@group(1) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;

@compute @workgroup_size(tile_width, tile_height)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let first = 2u * id.xy;
    let last = last_pixel();
    if any(first > last) {
        return;
    }
    let colours = staged_block(id.xy);
    let is_wide = first.x < last.x;
    let is_high = first.y < last.y;
    textureStore(dst, first, colours.top_left);
    if is_wide {
        textureStore(dst, first + vec2u(1u, 0u), colours.top_right);
    }
    if is_high {
        textureStore(dst, first + vec2u(0u, 1u), colours.bottom_left);
    }
    if is_wide && is_high {
        textureStore(dst, first + 1u, colours.bottom_right);
    }
}
