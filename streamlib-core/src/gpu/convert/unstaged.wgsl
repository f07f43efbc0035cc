// After block.wgsl. What stands where pixel shaders would: nothing is done to a pixel's colour.

fn staged(colour: vec4f, at: vec2u) -> vec4f {
    return colour;
}
