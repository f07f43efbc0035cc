// A ball over the picture. Its edge is as wide as a pixel and blended in linear light.

struct Parameters {
    // In pixels, from the top left corner of the picture.
    centre: vec2f,
    radius: f32,
    _padding: f32,
    // Gamma-encoded, and in linear light.
    colour: vec4f,
    light: vec4f,
}

@group(0) @binding(0) var src: texture_2d<f32>;
@group(1) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
@group(2) @binding(0) var<uniform> parameters: Parameters;

// The sRGB transfer function (IEC 61966-2-1).
fn to_linear(encoded: vec3f) -> vec3f {
    return select(pow((encoded + 0.055) / 1.055, vec3f(2.4)), encoded / 12.92, encoded <= vec3f(0.04045));
}

fn to_encoded(linear: vec3f) -> vec3f {
    return select(1.055 * pow(linear, vec3f(1.0 / 2.4)) - 0.055, 12.92 * linear, linear <= vec3f(0.0031308));
}

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if any(id.xy >= textureDimensions(dst)) {
        return;
    }
    var colour = textureLoad(src, id.xy, 0);
    let from_centre = vec2f(id.xy) + 0.5 - parameters.centre;
    // How much of the pixel is inside: from 0 to 1 over the width of a pixel.
    let inside = clamp(parameters.radius - length(from_centre) + 0.5, 0.0, 1.0);
    if inside >= 1.0 {
        colour = vec4f(parameters.colour.rgb, 1.0);
    } else if inside > 0.0 {
        let blended = mix(to_linear(colour.rgb), parameters.light.rgb, inside);
        colour = vec4f(to_encoded(blended), mix(colour.a, 1.0, inside));
    }
    textureStore(dst, id.xy, colour);
}
