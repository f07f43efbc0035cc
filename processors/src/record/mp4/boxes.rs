//! The boxes of the file (ISO/IEC 14496-12, 14496-15), encoded.

use mp4_atom::{
    Avcc, AvccExt, BufMut, Clap, Colr, Dinf, Dref, DrefEntry, Encode, FixedPoint, FourCC, FragmentInfo, Ftyp, Hdlr, Mdhd, Mfhd,
    Mfra, Mfro, Moof, Mvhd, Pasp, Stco, Stsc, Stsz, Stts, Tfdt, Tfhd, Tfra, Tkhd, Traf, Trex, Trun, TrunEntry, TrunSamples, Url,
    Visual, Vmhd,
};
use streamlib_core::{Color, Error, ErrorKind, Matrix, Range, Result};

use super::super::encoder::ParameterSets;
use super::VideoTrack;
use super::part_file::ALIGNMENT;
use super::timeline::TIMESCALE;

const TRACK: u32 = 1;
/// Sample flags (ISO/IEC 14496-12 section 8.8.3.1): depends on no other sample.
pub(super) const KEYFRAME: u32 = 0x0200_0000;
/// Sample flags: depends on others, and decoding cannot start at it.
const DEPENDENT: u32 = 0x0101_0000;

/// Everything before the first fragment: `ftyp`, `moov` and padding.
pub(super) fn header(track: &VideoTrack, sets: &ParameterSets) -> Result<Vec<u8>> {
    encode(|buf| {
        Ftyp {
            major_brand: FourCC::new(b"iso6"),
            minor_version: 0,
            compatible_brands: [b"iso6", b"iso5", b"avc1", b"mp41"].map(FourCC::new).to_vec(),
        }
        .encode(buf)?;
        buf.encode_atom(b"moov", |buf| {
            Mvhd { timescale: TIMESCALE, rate: 1.into(), volume: 1.into(), next_track_id: TRACK + 1, ..Default::default() }
                .encode(buf)?;
            buf.encode_atom(b"trak", |buf| video_track(track, sets, buf))?;
            buf.encode_atom(b"mvex", |buf| {
                Trex {
                    track_id: TRACK,
                    default_sample_description_index: 1,
                    default_sample_flags: DEPENDENT,
                    ..Default::default()
                }
                .encode(buf)
            })
        })?;
        let padding = BufMut::len(buf).wrapping_neg() % ALIGNMENT;
        buf.encode_atom(b"free", |buf| {
            buf.append_slice(&[0; ALIGNMENT][..padding]);
            Ok(())
        })
    })
}

fn video_track(track: &VideoTrack, sets: &ParameterSets, buf: &mut Vec<u8>) -> mp4_atom::Result<()> {
    let pixels = |side: u32| FixedPoint::from(side as u16);
    Tkhd {
        track_id: TRACK,
        enabled: true,
        in_movie: true,
        width: pixels(track.size.width()),
        height: pixels(track.size.height()),
        ..Default::default()
    }
    .encode(buf)?;
    buf.encode_atom(b"mdia", |buf| {
        Mdhd { timescale: TIMESCALE, language: "und".into(), ..Default::default() }.encode(buf)?;
        Hdlr { handler: FourCC::new(b"vide"), name: "streamlib".into() }.encode(buf)?;
        buf.encode_atom(b"minf", |buf| {
            Vmhd::default().encode(buf)?;
            Dinf { dref: Dref { entries: vec![DrefEntry::Url(Url::default())] } }.encode(buf)?;
            buf.encode_atom(b"stbl", |buf| {
                // What mp4-atom calls `Stsd` holds an `avc1` that cannot hold a `clap`.
                buf.encode_atom(b"stsd", |buf| {
                    0u32.encode(buf)?; // version and flags
                    1u32.encode(buf)?; // entries
                    buf.encode_atom(b"avc1", |buf| sample_entry(track, sets, buf))
                })?;
                Stts::default().encode(buf)?;
                Stsc::default().encode(buf)?;
                Stsz::default().encode(buf)?;
                Stco::default().encode(buf)
            })
        })
    })
}

fn sample_entry(track: &VideoTrack, sets: &ParameterSets, buf: &mut Vec<u8>) -> mp4_atom::Result<()> {
    let (width, height) = (track.coded_size.width(), track.coded_size.height());
    Visual { data_reference_index: 1, width: width as u16, height: height as u16, ..Default::default() }.encode(buf)?;
    avcc(sets)?.encode(buf)?;
    colr(track.color).encode(buf)?;
    if track.size != track.coded_size {
        // The picture is in the top left corner; offsets count between the centres (section 12.1.4).
        Clap {
            clean_aperture_width_n: track.size.width(),
            clean_aperture_width_d: 1,
            clean_aperture_height_n: track.size.height(),
            clean_aperture_height_d: 1,
            horiz_off_n: track.size.width() as i32 - width as i32,
            horiz_off_d: 2,
            vert_off_n: track.size.height() as i32 - height as i32,
            vert_off_d: 2,
        }
        .encode(buf)?;
        // Players that do not know `clap` would stretch the coded picture to the track's size.
        Pasp { h_spacing: 1, v_spacing: 1 }.encode(buf)?;
    }
    Ok(())
}

fn avcc(sets: &ParameterSets) -> mp4_atom::Result<Avcc> {
    /// The profiles whose `avcC` says more (ISO/IEC 14496-15 section 5.3.3.1.2).
    const HIGH_PROFILES: [u8; 4] = [100, 110, 122, 144];
    let avcc = Avcc::new(&sets.sps, &sets.pps)?;
    let ext = HIGH_PROFILES.contains(&avcc.avc_profile_indication).then(AvccExt::default);
    Ok(Avcc { ext, ..avcc })
}

/// Colour code points (ITU-T H.273): primaries and transfer are BT.709's throughout.
fn colr(color: Color) -> Colr {
    let matrix_coefficients = match color.matrix {
        Matrix::Bt709 => 1,
        Matrix::Bt601 => 6,
    };
    Colr::Nclx {
        colour_primaries: 1,
        transfer_characteristics: 1,
        matrix_coefficients,
        full_range_flag: color.range == Range::Full,
    }
}

/// `moof` and the header of the `mdat` that has to follow at once with `data` in it, which is padded to where the next box may begin.
pub(super) fn fragment(sequence: u32, start: u64, samples: Vec<TrunEntry>, data: &mut Vec<u8>) -> Result<Vec<u8>> {
    let traf = Traf {
        tfhd: Tfhd { track_id: TRACK, default_base_is_moof: true, ..Default::default() },
        tfdt: Some(Tfdt { base_media_decode_time: start }),
        trun: vec![Trun { data_offset: Some(0), samples: TrunSamples::Explicit(samples) }],
        ..Default::default()
    };
    let mut moof = Moof { mfhd: Mfhd { sequence_number: sequence }, traf: vec![traf] };
    let mut bytes = encode(|buf| moof.encode(buf))?;
    // The length of the box does not depend on the offset in it.
    let head = bytes.len() + 8;
    for run in moof.traf.iter_mut().flat_map(|traf| &mut traf.trun) {
        run.data_offset = Some(head as i32);
    }
    bytes.clear();
    moof.encode(&mut bytes).map_err(refused)?;
    // Nothing in an `mdat` has to belong to a sample.
    data.resize((head + data.len()).next_multiple_of(ALIGNMENT) - head, 0);
    bytes.extend_from_slice(&(data.len() as u32 + 8).to_be_bytes());
    bytes.extend_from_slice(b"mdat");
    Ok(bytes)
}

/// `mfra`: where keyframes are, for players that seek.
pub(super) fn index(entries: Vec<FragmentInfo>) -> Result<Vec<u8>> {
    let mut mfra = Mfra { tfra: vec![Tfra { track_id: TRACK, entries }], mfro: Mfro::default() };
    let bytes = encode(|buf| mfra.encode(buf))?;
    mfra.mfro.parent_size = bytes.len() as u32;
    encode(|buf| mfra.encode(buf))
}

fn encode(boxes: impl FnOnce(&mut Vec<u8>) -> mp4_atom::Result<()>) -> Result<Vec<u8>> {
    let mut buf = Vec::new();
    boxes(&mut buf).map_err(refused)?;
    Ok(buf)
}

fn refused(error: mp4_atom::Error) -> Error {
    Error::new(ErrorKind::Encode, format!("the MP4 boxes cannot be written: {error}"))
        .hint("the encoder has to give an SPS and a PPS with the first picture")
}
