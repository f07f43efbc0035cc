// After unstaged.wgsl. To 4:2:0. One invocation makes a strip of blocks: each has two by two luma samples and the chroma sample that
// belongs to them. Odd pictures are padded to even by repeating the edge. Chroma that is halved across already keeps its site;
// other chroma is sited left: weights 1 2 1 about the even column. Down, rows are averaged in twos.

@group(1) @binding(0) var dst: texture_storage_2d<r8unorm, write>;

// Whether samples have to be made of colours: the source is R'G'B', or pixel shaders change it.
override is_encoded: bool;

// Whether Cb and Cr alternate, rather than lie in two halves.
override is_interleaved: bool;

// Blocks of a strip. The longer it is, the fewer colours are made twice: a block's chroma needs the column before it.
override strip: u32;

// Cb and Cr of a source that is Y'CbCr at the even column of a pair, filtered with weights 1 2 1.
fn filtered(pair: u32, row: u32) -> vec2f {
    let here = 2u * pair;
    let left = max(here, 1u) - 1u;
    let right = min(here + 1u, last_pixel().x);
    return 0.5 * chroma_at(here, row) + 0.25 * (chroma_at(left, row) + chroma_at(right, row));
}

// Cb and Cr of a block of a source that is Y'CbCr.
fn block_chroma(block: vec2u) -> vec2f {
    if chroma_across == 0u {
        return NEUTRAL;
    }
    if chroma_down == 2u {
        return chroma_at(block.x, block.y);
    }
    let top = 2u * block.y;
    let bottom = min(top + 1u, last_pixel().y);
    if chroma_across == 2u {
        return 0.5 * (chroma_at(block.x, top) + chroma_at(block.x, bottom));
    }
    return 0.5 * (filtered(block.x, top) + filtered(block.x, bottom));
}

fn store(block: vec2u, blocks: vec2u, luma: vec4f, chroma: vec2f) {
    let first = 2u * block;
    textureStore(dst, first, vec4f(luma.x));
    textureStore(dst, first + vec2u(1u, 0u), vec4f(luma.y));
    textureStore(dst, first + vec2u(0u, 1u), vec4f(luma.z));
    textureStore(dst, first + 1u, vec4f(luma.w));
    let cb = vec2u(select(block.x, 2u * block.x, is_interleaved), 2u * blocks.y + block.y);
    let cr = cb + vec2u(select(blocks.x, 1u, is_interleaved), 0u);
    textureStore(dst, cb, vec4f(chroma.x));
    textureStore(dst, cr, vec4f(chroma.y));
}

fn luma_of(colour: vec4f) -> f32 {
    return dot(vec4f(colour.rgb, 1.0), parameters.encode[0]);
}

// A strip of colours. `before` is the mean of the column before the block.
fn encode(start: vec2u, end: u32, blocks: vec2u) {
    var before: vec3f;
    if start.x > 0u {
        let colours = staged_block(start - vec2u(1u, 0u));
        before = 0.5 * (colours.top_right + colours.bottom_right).rgb;
    }
    for (var column = start.x; column < end; column++) {
        let block = vec2u(column, start.y);
        let colours = staged_block(block);
        let here = 0.5 * (colours.top_left + colours.bottom_left).rgb;
        let after = 0.5 * (colours.top_right + colours.bottom_right).rgb;
        if column == 0u {
            before = here;
        }
        let filtered = vec4f(0.5 * here + 0.25 * (before + after), 1.0);
        let luma = vec4f(
            luma_of(colours.top_left), luma_of(colours.top_right), luma_of(colours.bottom_left), luma_of(colours.bottom_right),
        );
        store(block, blocks, luma, vec2f(dot(filtered, parameters.encode[1]), dot(filtered, parameters.encode[2])));
        before = after;
    }
}

@compute @workgroup_size(tile_width, tile_height)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let blocks = last_pixel() / 2u + 1u;
    let start = vec2u(strip * id.x, id.y);
    if any(start >= blocks) {
        return;
    }
    let end = min(start.x + strip, blocks.x);
    if is_encoded {
        encode(start, end, blocks);
        return;
    }
    for (var column = start.x; column < end; column++) {
        let block = vec2u(column, start.y);
        let luma = vec4f(luma_pair(column, 2u * block.y), luma_pair(column, min(2u * block.y + 1u, last_pixel().y)));
        store(block, blocks, luma, block_chroma(block));
    }
}
