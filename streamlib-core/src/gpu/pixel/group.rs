//! Pixel shaders that are drawn together: what each of them asks for, and the WGSL of them all.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::PixelFunction;
use crate::gpu::uniform::MAX_UNIFORM_BYTES;
use crate::{Error, ErrorKind, Result};

/// As many as there are bits that switch them.
const MAX_STAGES: usize = 32;

/// Structs in uniforms begin at multiples of this (WGSL, section 14.4.1).
const ALIGNMENT: usize = 16;

/// Pixel shaders that one pass draws, in their order.
#[derive(Debug)]
pub(crate) struct PixelGroup {
    stages: Vec<Stage>,
    /// Bytes of the uniform with the parameters of all.
    bytes: usize,
    /// Tells it from others.
    id: u64,
    /// Drafts that were drawn, for the next frames.
    spare: Mutex<Vec<Draft>>,
}

#[derive(Debug)]
struct Stage {
    function: Arc<PixelFunction>,
    /// Where its parameters lie.
    offset: usize,
}

/// What the pixel shaders of a group ask for one frame: the uniform of the pass that draws them.
///
/// Those that have said nothing are off: they were passed by.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// Whose it is.
    group: u64,
    pub(in crate::gpu) bytes: Box<[u8]>,
}

impl PixelGroup {
    /// A group of these; `None` if there are too many of them, or of their parameters, for one pass.
    pub(crate) fn new(functions: Vec<Arc<PixelFunction>>) -> Option<Self> {
        // The switches are the first word.
        let mut bytes = ALIGNMENT;
        let place = |function: Arc<PixelFunction>| {
            let offset = bytes;
            bytes = (offset + function.parameter_bytes() as usize).next_multiple_of(ALIGNMENT);
            Stage { function, offset }
        };
        let stages: Vec<_> = functions.into_iter().map(place).collect();
        let fits = stages.len() <= MAX_STAGES && bytes as u64 <= MAX_UNIFORM_BYTES;
        static LAST: AtomicU64 = AtomicU64::new(0);
        let id = LAST.fetch_add(1, Ordering::Relaxed);
        fits.then(|| Self { stages, bytes, id, spare: Mutex::default() })
    }

    /// What asks for nothing yet.
    pub(crate) fn draft(&self) -> Draft {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut draft = spare.unwrap_or_else(|| Draft { group: self.id, bytes: vec![0; self.bytes].into() });
        draft.bytes[..4].fill(0);
        draft
    }

    /// Whether a draft is of this group.
    pub(crate) fn owns(&self, draft: &Draft) -> bool {
        draft.group == self.id
    }

    /// Keeps a draft that was drawn for another frame.
    pub(crate) fn give_back(&self, draft: Draft) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(draft);
    }

    /// Switches a pixel shader on for this frame, with these parameters.
    pub(crate) fn note(&self, draft: &mut Draft, stage: usize, parameters: &[u8]) -> Result<()> {
        let declared = self.stages[stage].function.parameter_bytes() as usize;
        if parameters.len() > declared {
            let message = format!("the pixel shader takes {declared} bytes of parameters, but was given {}", parameters.len());
            return Err(Error::new(ErrorKind::InvalidArgument, message).hint("lay them out as `PixelStage::parameters` says"));
        }
        let switches = u32::from_ne_bytes([draft.bytes[0], draft.bytes[1], draft.bytes[2], draft.bytes[3]]) | 1 << stage;
        draft.bytes[..4].copy_from_slice(&switches.to_ne_bytes());
        let offset = self.stages[stage].offset;
        draft.bytes[offset..offset + parameters.len()].copy_from_slice(parameters);
        Ok(())
    }

    /// The WGSL of all, with the function `staged` that applies them: colours are clamped to 0 to 1 after each.
    pub(in crate::gpu) fn text(&self) -> Result<String, String> {
        let mut text = String::new();
        let mut fields = String::new();
        let mut steps = String::new();
        for (index, Stage { function, .. }) in self.stages.iter().enumerate() {
            let prefix = prefix(index);
            text += &function.text(&prefix)?;
            let mut arguments = String::from("colour, position");
            if function.parameter_bytes() > 0 {
                let _ = writeln!(fields, "    @align({ALIGNMENT}) {prefix}: {prefix}parameters_of_pixel,");
                let _ = write!(arguments, ", stages.{prefix}");
            }
            let _ = writeln!(
                steps,
                "    if (stages.switches & {}u) != 0u {{\n        colour = saturate({prefix}pixel({arguments}));\n    }}",
                1u32 << index
            );
        }
        let _ = write!(
            text,
            "struct Stages {{\n    switches: u32,\n{fields}}}\n\n@group(3) @binding(0) var<uniform> stages: Stages;\n\n\
             fn staged(original: vec4f, at: vec2u) -> vec4f {{\n    var colour = saturate(original);\n    let position = vec2f(at) + 0.5;\n{steps}    return colour;\n}}\n"
        );
        Ok(text)
    }
}

/// Before the names of a pixel shader's module: `tint`'s `mix` and `ball`'s `mix` are two. Letters only: naga's writer changes names
/// that end in digits.
fn prefix(stage: usize) -> String {
    let letters = stage.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect::<String>();
    format!("stage_{letters}_")
}

/// A compute shader of one pixel shader alone, to see whether it is sound as such.
pub(super) fn stand_alone(function: &PixelFunction) -> Result<String, String> {
    let group = PixelGroup::new(vec![Arc::new(function.clone())]).ok_or("it has too many parameters")?;
    Ok(group.text()? + "@group(0) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
        @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3u) { textureStore(dst, id.xy, staged(vec4f(0.0), id.xy)); }")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::DeclaredUniform;

    #[test]
    fn parameters_lie_where_the_wgsl_has_them() {
        let odd = "struct Odd { a: f32, b: f32, c: f32, d: vec3f, e: f32, f: f32 } fn pixel(c: vec4f, p: vec2f, o: Odd) -> vec4f { return c * o.f; }";
        let bare = "fn pixel(c: vec4f, p: vec2f) -> vec4f { return c; }";
        let small = "struct S { level: f32 } fn pixel(c: vec4f, p: vec2f, s: S) -> vec4f { return c * s.level; }";
        #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        struct Large {
            a: f32,
            b: f32,
            c: f32,
            _padding: f32,
            d: [f32; 3],
            e: f32,
            f: f32,
        }
        crate::uniform_fields!(Large { a, b, c, d, e, f });
        #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        struct Small {
            level: f32,
        }
        crate::uniform_fields!(Small { level });
        let functions = vec![
            PixelFunction::new::<Small>(small).unwrap(),
            PixelFunction::new::<Large>(odd).unwrap(),
            PixelFunction::new::<()>(bare).unwrap(),
            PixelFunction::new::<Small>(small).unwrap(),
        ];
        let group = PixelGroup::new(functions.into_iter().map(Arc::new).collect()).unwrap();
        let text = group.text().unwrap();
        let module = naga::front::wgsl::parse_str(&text).unwrap_or_else(|error| panic!("{}", error.emit_to_string(&text)));
        let (_, stages) =
            module.global_variables.iter().find(|(_, variable)| variable.name.as_deref() == Some("stages")).unwrap();
        let declared = DeclaredUniform::of(&module, stages.ty).unwrap();
        assert_eq!(declared.bytes as usize, group.bytes);
        for (index, first) in [(0, "stage_a_.level"), (1, "stage_b_.a"), (3, "stage_d_.level")] {
            assert_eq!(declared.field(first).unwrap().offset as usize, group.stages[index].offset, "{first}");
        }
    }

    #[test]
    fn those_that_say_nothing_are_off() {
        let bare = Arc::new(PixelFunction::new::<()>("fn pixel(c: vec4f, p: vec2f) -> vec4f { return c; }").unwrap());
        let group = PixelGroup::new(vec![bare.clone(); 3]).unwrap();
        let mut draft = group.draft();
        group.note(&mut draft, 2, &[]).unwrap();
        group.note(&mut draft, 0, &[]).unwrap();
        assert_eq!(draft.bytes[0], 0b101);
        group.give_back(draft);
        assert_eq!(group.draft().bytes[0], 0);
        assert!(PixelGroup::new(vec![bare; 33]).is_none());
    }
}
