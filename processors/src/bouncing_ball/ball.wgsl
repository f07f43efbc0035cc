// A ball over the picture. Its edge is as wide as a pixel and blended in linear light.

struct Ball {
    // In pixels, from the top left corner of the picture.
    centre: vec2f,
    radius: f32,
    // Gamma-encoded, and in linear light.
    color: vec3f,
    light: vec3f,
}

// The sRGB transfer function (IEC 61966-2-1).
fn to_linear(encoded: vec3f) -> vec3f {
    return select(pow((encoded + 0.055) / 1.055, vec3f(2.4)), encoded / 12.92, encoded <= vec3f(0.04045));
}

fn to_encoded(linear: vec3f) -> vec3f {
    return select(1.055 * pow(linear, vec3f(1.0 / 2.4)) - 0.055, 12.92 * linear, linear <= vec3f(0.0031308));
}

fn pixel(color: vec4f, position: vec2f, ball: Ball) -> vec4f {
    // How much of the pixel is inside: from 0 to 1 over the width of a pixel.
    let inside = saturate(ball.radius - distance(position, ball.centre) + 0.5);
    if inside <= 0.0 {
        return color;
    }
    if inside >= 1.0 {
        return vec4f(ball.color, 1.0);
    }
    let blended = mix(to_linear(color.rgb), ball.light, inside);
    return vec4f(to_encoded(blended), mix(color.a, 1.0, inside));
}
