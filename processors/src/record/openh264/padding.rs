//! Pictures that are too small for the encoder.

use streamlib_core::{Result, Size};

use super::super::encoder::{I420Picture, Plane};

/// A buffer in which small pictures are extended to the right and downwards by repeating their last column and row, which costs
/// the encoder next to nothing.
pub(super) struct Padding {
    size: Size,
    bytes: Vec<u8>,
}

impl Padding {
    /// A buffer for pictures extended to `size`.
    pub(super) fn new(size: Size) -> Self {
        let (width, height) = (size.width() as usize, size.height() as usize);
        Self { size, bytes: vec![0; width * height * 3 / 2] }
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    /// `picture`, which is not larger than this, extended.
    pub(super) fn pad(&mut self, picture: &I420Picture<'_>) -> Result<I420Picture<'_>> {
        let (to_width, to_height) = (self.size.width() as usize, self.size.height() as usize);
        let (width, height) = (picture.size().width() as usize, picture.size().height() as usize);
        let (luma, chroma) = self.bytes.split_at_mut(to_width * to_height);
        let (cb, cr) = chroma.split_at_mut(to_width * to_height / 4);
        let [y, u, v] = picture.planes();
        extend(y, (width, height), luma, to_width);
        extend(u, (width / 2, height / 2), cb, to_width / 2);
        extend(v, (width / 2, height / 2), cr, to_width / 2);
        I420Picture::new(self.size, Plane::new(luma, to_width), Plane::new(cb, to_width / 2), Plane::new(cr, to_width / 2))
    }
}

fn extend(from: Plane<'_>, (width, height): (usize, usize), to: &mut [u8], to_width: usize) {
    for (row, to) in to.chunks_exact_mut(to_width).enumerate() {
        let start = row.min(height - 1) * from.stride();
        let from = &from.bytes()[start..start + width];
        to[..width].copy_from_slice(from);
        to[width..].fill(from[width - 1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_repeated() {
        let bytes = [1, 2, 9, 3, 4, 9, 5, 6];
        let mut padding = Padding::new(Size::new(4, 4).unwrap());
        let picture = I420Picture::stacked(Size::new(2, 2).unwrap(), &bytes, 3).unwrap();
        let [y, u, v] = padding.pad(&picture).unwrap().planes();
        assert_eq!(y.bytes(), [1, 2, 2, 2, 3, 4, 4, 4, 3, 4, 4, 4, 3, 4, 4, 4]);
        assert_eq!((u.bytes(), v.bytes()), (&[5; 4][..], &[6; 4][..]));
    }
}
