// Colour bars at 75% after SMPTE EG 1, a luma ramp with a moving square, and the machine-readable block in two corners.

struct Parameters {
    // The block's 160 bits, most significant first.
    bits_0: vec4u,
    bits_1: u32,
    // The block's cell in pixels; 0: none.
    cell: u32,
    // The top left corners of the two blocks.
    left: vec2u,
    right: vec2u,
    // The moving square's left edge, as a fraction of its way.
    sweep: f32,
}

@group(1) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
@group(2) @binding(0) var<uniform> parameters: Parameters;

const COLUMNS = 16u;
const ROWS = 10u;

// Grey, yellow, cyan, green, magenta, red, blue: red is absent in the bars 2, 3 and 6, and so on.
fn bar(index: u32) -> vec3f {
    let bits = 7u - index;
    return 0.75 * vec3f(vec3u((bits >> 1u) & 1u, (bits >> 2u) & 1u, bits & 1u));
}

fn bit(index: u32) -> f32 {
    let word = select(parameters.bits_0[min(index / 32u, 3u)], parameters.bits_1, index >= 128u);
    return f32((word >> (31u - index % 32u)) & 1u);
}

// The blocks' brightness at a pixel, black for half a cell around them; below 0 outside.
fn block(at: vec2u) -> f32 {
    let cell = parameters.cell;
    let border = cell / 2u;
    let extent = vec2u(COLUMNS, ROWS) * cell;
    let corner = select(parameters.left, parameters.right, at.x + border >= parameters.right.x);
    if any(at + border < corner) || any(at >= corner + extent + border) {
        return -1.0;
    }
    if any(at < corner) || any(at >= corner + extent) {
        return 0.0;
    }
    // Not in integers, whose division takes long where there is no instruction for several at once.
    let place = vec2u((vec2f(at - corner) + 0.5) / f32(cell));
    return bit(place.y * COLUMNS + place.x);
}

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let size = textureDimensions(dst);
    let at = id.xy;
    if any(at >= size) {
        return;
    }
    let place = (vec2f(at) + 0.5) / vec2f(size);
    let index = min(u32(place.x * 7.0), 6u);
    var colour: vec3f;
    if place.y < 0.67 {
        colour = bar(index);
    } else if place.y < 0.75 {
        // The reverse order, every second one black.
        colour = select(bar(6u - index), vec3f(0.0), index % 2u == 1u);
    } else {
        colour = vec3f(place.x);
        let side = 0.15 * f32(size.y);
        let corner = vec2f(parameters.sweep * (f32(size.x) - side), 0.8 * f32(size.y));
        if all(vec2f(at) >= corner) && all(vec2f(at) < corner + side) {
            colour = vec3f(1.0, 1.0, 1.0) - colour;
        }
        if parameters.cell > 0u {
            let brightness = block(at);
            if brightness >= 0.0 {
                colour = vec3f(brightness);
            }
        }
    }
    textureStore(dst, at, vec4f(colour, 1.0));
}
