// Reading the source of a conversion, whatever its pixel format: in front of every other file of this folder. What tells the
// formats apart is constant when the shader is compiled, so that nothing of the others is left in it.

// The workgroup.
override tile_width: u32 = 16;
override tile_height: u32 = 16;

struct Parameters {
    // From code values of Y'CbCr to R'G'B', and back: each column takes (a, b, c, 1) to a component.
    decode: mat3x4f,
    encode: mat3x4f,
    // The picture in pixels.
    size: vec2u,
    // From a Cb to its Cr, in texels.
    cr_from_cb: vec2u,
    // The row of the texture that holds the first Cb.
    chroma_top: u32,
}

@group(0) @binding(0) var src: texture_2d<f32>;
@group(2) @binding(0) var<uniform> parameters: Parameters;

// What a texel is: a sample of a plane; two pixels, as luma, Cb, luma, Cr; a pixel; three quarters of a pixel's neighbourhood,
// four bytes out of a row of three a pixel.
const PLANES = 0u;
const PAIRS = 1u;
const PIXELS = 2u;
const TRIPLES = 3u;
override packing: u32;

// Whether pairs begin with chroma, triples with blue.
override is_reversed: bool;

// Pixels a chroma sample, across and down. 0: there is no chroma.
override chroma_across: u32;
override chroma_down: u32;

// Texels from a Cb to the next.
override chroma_step: u32;

// Whether chroma lies in the middle of the two columns that share it, rather than on the left one.
override is_centred: bool;

const NEUTRAL = vec2f(128.0 / 255.0);

fn last_pixel() -> vec2u {
    return parameters.size - 1u;
}

// The last chroma sample of a row and of a column.
fn last_chroma() -> vec2u {
    return last_pixel() / vec2u(max(chroma_across, 1u), max(chroma_down, 1u));
}

// Luma, Cb, luma, Cr of two pixels.
fn pair_at(pair: u32, row: u32) -> vec4f {
    let texel = textureLoad(src, vec2u(pair, row), 0);
    return select(texel, texel.yxwz, is_reversed);
}

// Luma of the pixels in columns `2 * pair` and `2 * pair + 1` of Y'CbCr. The picture's edge is repeated.
fn luma_pair(pair: u32, row: u32) -> vec2f {
    let left = 2u * pair;
    let right = min(left + 1u, last_pixel().x);
    if packing == PLANES {
        return vec2f(textureLoad(src, vec2u(left, row), 0).r, textureLoad(src, vec2u(right, row), 0).r);
    }
    let both = pair_at(pair, row);
    return vec2f(both.x, select(both.x, both.z, right > left));
}

// Cb and Cr of a sample.
fn chroma_at(column: u32, row: u32) -> vec2f {
    if chroma_across == 0u {
        return NEUTRAL;
    }
    if packing == PAIRS {
        return pair_at(column, row).yw;
    }
    let cb = vec2u(chroma_step * column, parameters.chroma_top + row);
    return vec2f(textureLoad(src, cb, 0).r, textureLoad(src, cb + parameters.cr_from_cb, 0).r);
}
