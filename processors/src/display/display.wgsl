// Draws a frame over the viewport. The frame is read through an sRGB view, so that scaling averages linear light.

@group(0) @binding(0) var src: texture_2d<f32>;
@group(0) @binding(1) var src_sampler: sampler;

struct Corner {
    @builtin(position) position: vec4f,
    @location(0) place: vec2f,
}

// One triangle that covers the viewport.
@vertex
fn corner(@builtin(vertex_index) index: u32) -> Corner {
    let place = vec2f(f32(index & 1u), f32(index >> 1u)) * 2.0;
    return Corner(vec4f(place.x * 2.0 - 1.0, 1.0 - place.y * 2.0, 0.0, 1.0), place);
}

// For surfaces that encode by themselves.
@fragment
fn linear(corner: Corner) -> @location(0) vec4f {
    return vec4f(textureSample(src, src_sampler, corner.place).rgb, 1.0);
}

// For surfaces that take encoded values: the sRGB transfer function (IEC 61966-2-1).
@fragment
fn encoded(corner: Corner) -> @location(0) vec4f {
    let light = textureSample(src, src_sampler, corner.place).rgb;
    let high = 1.055 * pow(light, vec3f(1.0 / 2.4)) - 0.055;
    return vec4f(select(high, 12.92 * light, light <= vec3f(0.0031308)), 1.0);
}
