//! The machine-readable block: a sequence number and a capture time in black and white cells, with a checksum.
//!
//! The block has 16 columns and 10 rows of square cells, a bit each, most significant first, row by row: 64 bits sequence number,
//! 64 bits capture time in nanoseconds (two's complement), 32 bits CRC-32 (ISO-HDLC, as in PNG) of those 16 bytes. White is 1. It
//! stands in the lower left and once more in the lower right corner, so that something that moves over the picture leaves one.

use streamlib_core::{Size, Timestamp};

/// Cells in a row.
pub(super) const COLUMNS: u32 = 16;
/// Rows of cells.
pub(super) const ROWS: u32 = 10;

/// What a block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The frame's number, from 0.
    pub sequence: u64,
    /// The frame's capture time.
    pub time: Timestamp,
}

impl Block {
    /// The block's bits, 32 in a word, most significant first.
    pub(super) fn words(self) -> [u32; 5] {
        let (sequence, time) = (self.sequence, self.time.as_nanos() as u64);
        let [a, b, c, d] = [(sequence >> 32) as u32, sequence as u32, (time >> 32) as u32, time as u32];
        [a, b, c, d, checksum([a, b, c, d])]
    }

    fn from_words([a, b, c, d, crc]: [u32; 5]) -> Option<Self> {
        let join = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        (checksum([a, b, c, d]) == crc).then(|| Self { sequence: join(a, b), time: Timestamp::from_nanos(join(c, d) as i64) })
    }
}

fn checksum(words: [u32; 4]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    words.iter().for_each(|word| hasher.update(&word.to_be_bytes()));
    hasher.finalize()
}

/// The side of a cell in pixels, a function of the picture's size alone; 0 when the picture is too small for a block.
pub(super) fn cell(size: Size) -> u32 {
    (size.width() / 40).min(size.height() / 48).min(24)
}

/// The top left corners of both blocks, half a cell inside the quiet black border.
pub(super) fn corners(size: Size) -> [[u32; 2]; 2] {
    let cell = cell(size);
    let top = size.height().saturating_sub(cell * ROWS + cell);
    [[cell, top], [size.width().saturating_sub(cell * COLUMNS + cell), top]]
}

/// Reads the block out of a decoded picture.
///
/// `sample(x, y)` gives the brightness of a pixel, 0 to 255, in any encoding in which black is below and white above the middle:
/// luma, or the green of RGB. `None` when neither block can be read: the picture is smaller than 40x48, no test pattern, both are
/// covered or the picture is damaged.
pub fn read_block(size: Size, sample: impl Fn(u32, u32) -> u8) -> Option<Block> {
    let cell = cell(size);
    if cell == 0 {
        return None;
    }
    corners(size).into_iter().find_map(|[left, top]| {
        let mut words = [0u32; 5];
        for bit in 0..COLUMNS * ROWS {
            let (x, y) = (left + bit % COLUMNS * cell, top + bit / COLUMNS * cell);
            // The middle of the cell: its edges are blurred by compression.
            let inset = cell / 4;
            let mut sum = 0u32;
            let mut count = 0u32;
            for row in y + inset..y + cell - inset {
                for column in x + inset..x + cell - inset {
                    sum += u32::from(sample(column, row));
                    count += 1;
                }
            }
            words[(bit / 32) as usize] |= u32::from(sum > 127 * count) << (31 - bit % 32);
        }
        Block::from_words(words)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paint(size: Size, block: Block) -> Vec<u8> {
        let (cell, words) = (cell(size), block.words());
        let mut picture = vec![90u8; (size.width() * size.height()) as usize];
        for [left, top] in corners(size) {
            for bit in 0..COLUMNS * ROWS {
                let white = words[(bit / 32) as usize] >> (31 - bit % 32) & 1 == 1;
                for y in 0..cell {
                    for x in 0..cell {
                        let at = (top + bit / COLUMNS * cell + y) * size.width() + left + bit % COLUMNS * cell + x;
                        picture[at as usize] = if white { 235 } else { 16 };
                    }
                }
            }
        }
        picture
    }

    fn read(size: Size, picture: &[u8]) -> Option<Block> {
        read_block(size, |x, y| picture[(y * size.width() + x) as usize])
    }

    #[test]
    fn what_is_painted_is_read() {
        for (width, height) in [(40, 48), (321, 241), (1920, 1080), (4096, 2160)] {
            let size = Size::new(width, height).unwrap();
            for block in [
                Block { sequence: 0, time: Timestamp::ZERO },
                Block { sequence: u64::MAX - 7, time: Timestamp::from_nanos(-123_456_789) },
            ] {
                assert_eq!(read(size, &paint(size, block)), Some(block), "{size}");
            }
        }
    }

    #[test]
    fn a_covered_corner_is_read_from_the_other_and_damage_is_noticed() {
        let size = Size::new(640, 480).unwrap();
        let block = Block { sequence: 77, time: Timestamp::from_nanos(5) };
        let mut picture = paint(size, block);
        picture.chunks_mut(640).for_each(|row| row[..320].fill(200));
        assert_eq!(read(size, &picture), Some(block));
        picture.chunks_mut(640).for_each(|row| row[500..520].fill(200));
        assert_eq!(read(size, &picture), None);
    }

    #[test]
    fn a_small_picture_has_no_block() {
        assert_eq!(read_block(Size::new(39, 48).unwrap(), |_, _| 0), None);
    }
}
