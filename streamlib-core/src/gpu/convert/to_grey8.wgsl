// After source.wgsl. To luma alone. One invocation makes two by two pixels.

@group(1) @binding(0) var dst: texture_storage_2d<r8unorm, write>;

fn store_pair(pair: u32, row: u32) {
    let luma = luma_pair(pair, row);
    let column = 2u * pair;
    textureStore(dst, vec2u(column, row), vec4f(luma.x));
    if column < last_pixel().x {
        textureStore(dst, vec2u(column + 1u, row), vec4f(luma.y));
    }
}

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let last = last_pixel();
    let top = 2u * id.y;
    if 2u * id.x > last.x || top > last.y {
        return;
    }
    store_pair(id.x, top);
    if top < last.y {
        store_pair(id.x, top + 1u);
    }
}
