//! What a kernel's WGSL says of itself: its bindings, its uniforms, its workgroup.
//!
//! The bindings' numbers are the author's business no longer: what a kernel binds is found by name, and is given a place of its own
//! before the driver sees it. Each texture, sampler and buffer has a group of its own, so that its bind group can be kept for all
//! kernels; where the device has too few groups, the last holds the rest. A uniform that is alone and small becomes WebGPU's immediate
//! data, which is part of the commands. Others have the last group, whose offsets move with every call.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use naga::common::wgsl::TypeContext as _;

use super::layout::DeclaredUniform;
use crate::gpu::uniform::{MAX_UNIFORM_BYTES, MAX_UNIFORMS};
use crate::gpu::wgsl;

/// A texture, sampler or buffer.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::gpu) struct Binding {
    pub(in crate::gpu) name: String,
    pub(in crate::gpu) kind: BindingKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gpu) enum BindingKind {
    /// `texture_2d<f32>`.
    Texture,
    /// `texture_storage_2d`.
    StorageTexture { format: wgpu::TextureFormat, access: wgpu::StorageTextureAccess },
    /// `sampler`.
    Sampler,
    /// `var<storage>`: whether it is written, the bytes from an element to the next, those before the first, and the fewest of all.
    Buffer { is_written: bool, stride: u32, head: u32, least: u32 },
}

/// `a texture to read (texture_2d<f32>)`.
impl fmt::Display for BindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Texture => f.write_str("a texture to read (texture_2d<f32>)"),
            Self::StorageTexture { format, access } => {
                let access = match access {
                    wgpu::StorageTextureAccess::WriteOnly => "write",
                    wgpu::StorageTextureAccess::ReadOnly => "read",
                    _ => "read_write",
                };
                write!(f, "a storage texture (texture_storage_2d<{}, {access}>)", format_name(*format))
            }
            Self::Sampler => f.write_str("a sampler"),
            Self::Buffer { is_written, stride, .. } => {
                let access = if *is_written { "read_write" } else { "read" };
                write!(f, "a buffer of elements of {stride} bytes (var<storage, {access}>)")
            }
        }
    }
}

/// As WGSL spells it.
pub(in crate::gpu) fn format_name(format: wgpu::TextureFormat) -> String {
    format!("{format:?}").to_lowercase()
}

/// A uniform.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::gpu) struct UniformBinding {
    pub(in crate::gpu) name: String,
    pub(in crate::gpu) declared: DeclaredUniform,
    /// Where its bytes begin in those of all uniforms of the kernel.
    pub(in crate::gpu) offset: usize,
    /// The first Rust type that was found to fit.
    pub(in crate::gpu) checked: OnceLock<TypeId>,
}

impl UniformBinding {
    /// Where its bytes are in those of all uniforms of the kernel.
    pub(in crate::gpu) fn bytes(&self) -> Range<usize> {
        self.offset..self.offset + self.declared.bytes as usize
    }
}

/// What has to be given to a kernel.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::gpu) struct Interface {
    pub(in crate::gpu) entry_point: String,
    pub(in crate::gpu) workgroup: [u32; 3],
    pub(in crate::gpu) bindings: Vec<Binding>,
    pub(in crate::gpu) uniforms: Vec<UniformBinding>,
    /// Whether the one uniform travels as immediate data: it is in no group.
    pub(in crate::gpu) is_immediate: bool,
    /// Declared, but used by nothing: may be given, need not.
    pub(in crate::gpu) unused: Vec<String>,
    /// The groups that the device has.
    available: usize,
}

/// What a device has for what a kernel binds.
#[derive(Clone, Copy, Debug)]
pub(in crate::gpu) struct Room {
    pub(in crate::gpu) groups: u32,
    /// The most bytes of immediate data, 0 where there is none.
    pub(in crate::gpu) immediate_bytes: u32,
}

impl Interface {
    /// The bindings of each group; that of the uniforms comes after these.
    pub(in crate::gpu) fn groups(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let count = self.bindings.len();
        let groups = (self.available - usize::from(self.uniforms_in_group() > 0)).min(count);
        (0..groups).map(move |group| group..if group + 1 == groups { count } else { group + 1 })
    }

    /// The bytes of all uniforms.
    pub(in crate::gpu) fn uniform_bytes(&self) -> usize {
        self.uniforms.last().map_or(0, |last| last.bytes().end)
    }

    /// How many uniforms the last group has.
    pub(in crate::gpu) fn uniforms_in_group(&self) -> usize {
        if self.is_immediate { 0 } else { self.uniforms.len() }
    }

    /// The bytes of immediate data.
    pub(in crate::gpu) fn immediate_bytes(&self) -> u32 {
        if self.is_immediate { self.uniforms[0].declared.bytes } else { 0 }
    }

    /// Every name with what it is.
    pub(in crate::gpu) fn describe(&self) -> String {
        let bindings = self.bindings.iter().map(|binding| format!("{}: {}", binding.name, binding.kind));
        let uniforms = self.uniforms.iter().map(|uniform| format!("{}: a uniform", uniform.name));
        let all: Vec<_> = bindings.chain(uniforms).collect();
        if all.is_empty() { "nothing".into() } else { all.join(", ") }
    }
}

/// The module with its constants in place and its bindings numbered, and its interface. The error is what comes after the
/// kernel's name: for mistakes in the text `, line 2, column 5: ...`, otherwise `: ...`.
pub(in crate::gpu) fn read(
    text: &str,
    entry_point: Option<&str>,
    constants: &[(String, f64)],
    room: Room,
) -> Result<(naga::Module, Interface), String> {
    let (module, info) = wgsl::checked(text)?;
    read_module(module, &info, entry_point, constants, room).map_err(|message| format!(": {message}"))
}

fn read_module(
    module: naga::Module,
    info: &naga::valid::ModuleInfo,
    entry_point: Option<&str>,
    constants: &[(String, f64)],
    room: Room,
) -> Result<(naga::Module, Interface), String> {
    let name = choose_entry_point(&module, entry_point)?;
    let constants = constants.iter().cloned().collect::<HashMap<_, _>>();
    check_constants(&module, &constants)?;
    let constants = constants.into_iter().collect();
    let declared = module.global_variables.iter().filter(|(_, variable)| variable.binding.is_some());
    let mut unused: Vec<_> = declared.filter_map(|(_, variable)| variable.name.clone()).collect();
    let entry = Some((naga::ShaderStage::Compute, &*name));
    let (module, info) =
        naga::back::pipeline_constants::process_overrides(&module, info, entry, &constants).map_err(|error| error.to_string())?;
    let mut module = module.into_owned();
    let position = module.entry_points.iter().position(|entry| entry.name == name).ok_or("its entry point is gone")?;
    let uses = info.get_entry_point(position);
    let mut interface = Interface {
        entry_point: name,
        workgroup: module.entry_points[position].workgroup_size,
        bindings: Vec::new(),
        uniforms: Vec::new(),
        is_immediate: false,
        unused: Vec::new(),
        available: room.groups as usize,
    };
    let (mut bindings, mut uniforms) = (Vec::new(), Vec::new());
    for (handle, variable) in module.global_variables.iter() {
        if variable.binding.is_none() {
            continue;
        }
        let name = variable.name.clone().ok_or("a binding has no name")?;
        if uses[handle].is_empty() {
            continue;
        }
        unused.retain(|unused| *unused != name);
        match interface.add(&module, name, variable)? {
            Kept::Binding => bindings.push(handle),
            Kept::Uniform => uniforms.push(handle),
        }
    }
    interface.unused = unused;
    interface.is_immediate = match &interface.uniforms[..] {
        [only] => only.declared.bytes <= room.immediate_bytes,
        _ => false,
    };
    if interface.is_immediate {
        let variable = module.global_variables.get_mut(uniforms.remove(0));
        (variable.space, variable.binding) = (naga::AddressSpace::Immediate, None);
    }
    let mut place = |handle, group: usize, binding: usize| {
        let place = naga::ResourceBinding { group: group as u32, binding: binding as u32 };
        module.global_variables.get_mut(handle).binding = Some(place);
    };
    let mut groups = 0;
    for range in interface.groups() {
        bindings[range].iter().enumerate().for_each(|(binding, handle)| place(*handle, groups, binding));
        groups += 1;
    }
    uniforms.into_iter().enumerate().for_each(|(binding, handle)| place(handle, groups, binding));
    Ok((module, interface))
}

/// Among what a variable was added.
enum Kept {
    Binding,
    Uniform,
}

impl Interface {
    /// Adds what a variable declares.
    fn add(&mut self, module: &naga::Module, name: String, variable: &naga::GlobalVariable) -> Result<Kept, String> {
        if variable.space == naga::AddressSpace::Uniform {
            let declared = DeclaredUniform::of(module, variable.ty)
                .map_err(|what| format!("'{name}' is no uniform that can be given: {what}"))?;
            if u64::from(declared.bytes) > MAX_UNIFORM_BYTES {
                return Err(format!("'{name}' has {} bytes; at most {MAX_UNIFORM_BYTES} are passed", declared.bytes));
            }
            let offset = self.uniform_bytes();
            self.uniforms.push(UniformBinding { name, declared, offset, checked: OnceLock::new() });
            if self.uniforms.len() > MAX_UNIFORMS {
                return Err(format!("it has more than {MAX_UNIFORMS} uniforms; make one struct of them"));
            }
            return Ok(Kept::Uniform);
        }
        if let naga::AddressSpace::Storage { access } = variable.space {
            let (head, stride) = elements(module, variable.ty).ok_or_else(|| {
                format!("'{name}' is no array, and no struct that ends in one: a buffer is an array of elements")
            })?;
            let is_written = access.contains(naga::StorageAccess::STORE);
            // Of an array without a size, naga counts one element.
            let least = module.types[variable.ty].inner.size(module.to_ctx()).max(head + stride);
            self.bindings.push(Binding { name, kind: BindingKind::Buffer { is_written, stride, head, least } });
            return Ok(Kept::Binding);
        }
        let kind = kind_of(&module.types[variable.ty].inner).ok_or_else(|| {
            let ty = module.to_ctx().type_to_string(variable.ty);
            format!("'{name}' is {ty}, which is none of: texture_2d<f32>, texture_storage_2d<rgba8unorm or r8unorm, ...>, sampler, var<uniform>, var<storage>")
        })?;
        self.bindings.push(Binding { name, kind });
        Ok(Kept::Binding)
    }
}

/// The bytes before the elements of an array, and those from one to the next: of a runtime-sized array, of one of constant size, or of
/// the array that a struct ends in.
fn elements(module: &naga::Module, ty: naga::Handle<naga::Type>) -> Option<(u32, u32)> {
    match &module.types[ty].inner {
        naga::TypeInner::Array { stride, .. } => Some((0, *stride)),
        naga::TypeInner::Struct { members, .. } => {
            let last = members.last()?;
            match module.types[last.ty].inner {
                naga::TypeInner::Array { stride, .. } => Some((last.offset, stride)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn kind_of(inner: &naga::TypeInner) -> Option<BindingKind> {
    let (dim, arrayed, class) = match inner {
        naga::TypeInner::Sampler { comparison: false } => return Some(BindingKind::Sampler),
        naga::TypeInner::Image { dim, arrayed, class } => (*dim, *arrayed, *class),
        _ => return None,
    };
    if dim != naga::ImageDimension::D2 || arrayed {
        return None;
    }
    match class {
        naga::ImageClass::Sampled { kind: naga::ScalarKind::Float, multi: false } => Some(BindingKind::Texture),
        naga::ImageClass::Storage { format, access } => {
            let format = match format {
                naga::StorageFormat::Rgba8Unorm => wgpu::TextureFormat::Rgba8Unorm,
                naga::StorageFormat::R8Unorm => wgpu::TextureFormat::R8Unorm,
                _ => return None,
            };
            let (loads, stores) = (access.contains(naga::StorageAccess::LOAD), access.contains(naga::StorageAccess::STORE));
            let access = match (loads, stores) {
                (true, true) => wgpu::StorageTextureAccess::ReadWrite,
                (true, false) => wgpu::StorageTextureAccess::ReadOnly,
                (false, _) => wgpu::StorageTextureAccess::WriteOnly,
            };
            Some(BindingKind::StorageTexture { format, access })
        }
        _ => None,
    }
}

fn choose_entry_point(module: &naga::Module, wanted: Option<&str>) -> Result<String, String> {
    let compute = module.entry_points.iter().filter(|entry| entry.stage == naga::ShaderStage::Compute);
    let names: Vec<_> = compute.map(|entry| entry.name.as_str()).collect();
    match (wanted, names.as_slice()) {
        (_, []) => Err("it has no compute entry point: '@compute @workgroup_size(16, 16) fn main(...)'".into()),
        (Some(wanted), names) if names.contains(&wanted) => Ok(wanted.into()),
        (Some(wanted), names) => Err(format!("it has no entry point '{wanted}'; it has {}", names.join(", "))),
        (None, [only]) => Ok((*only).into()),
        (None, names) => {
            Err(format!("it has several entry points, {}: name one in `KernelOptions::entry_point`", names.join(", ")))
        }
    }
}

fn check_constants(module: &naga::Module, constants: &HashMap<String, f64>) -> Result<(), String> {
    let names: Vec<_> = module.overrides.iter().filter_map(|(_, found)| found.name.as_deref()).collect();
    match constants.keys().find(|constant| !names.contains(&constant.as_str())) {
        Some(unknown) => Err(format!("it has no 'override {unknown}'; it has {}", names.join(", "))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DST: &str = "@group(0) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;";

    const ROOM: Room = Room { groups: 4, immediate_bytes: 0 };

    fn interface(text: &str) -> Result<Interface, String> {
        read(text, None, &[], ROOM).map(|(_, interface)| interface)
    }

    #[test]
    fn a_small_uniform_that_is_alone_is_immediate_data() {
        let text = |declared: &str, used: &str| {
            format!(
                "{DST} struct P {{ centre: vec2f, rows: mat3x4f }} {declared}
                 @compute @workgroup_size(1) fn main() {{ textureStore(dst, vec2u(), vec4f({used})); }}"
            )
        };
        let p = "@group(1) @binding(0) var<uniform> p: P;";
        let q = "@group(1) @binding(1) var<uniform> q: f32;";
        let cases = [
            (text(p, "p.centre.x"), 64, 64),
            (text(p, "p.centre.x"), 60, 0),
            (text(&format!("{p} {q}"), "p.centre.x * q"), 128, 0),
            // What nothing uses does not count.
            (text(&format!("{p} {q}"), "q"), 128, 4),
        ];
        for (text, immediate_bytes, expected) in cases {
            let (module, interface) = read(&text, None, &[], Room { groups: 4, immediate_bytes }).unwrap();
            assert_eq!(interface.immediate_bytes(), expected, "{text}");
            let spaces = module.global_variables.iter().map(|(_, variable)| variable.space);
            assert_eq!(
                spaces.filter(|space| *space == naga::AddressSpace::Immediate).count(),
                usize::from(expected > 0),
                "{text}"
            );
            assert_eq!(interface.uniforms_in_group(), if expected > 0 { 0 } else { interface.uniforms.len() });
        }
    }

    #[test]
    fn the_interface_is_read_from_the_wgsl() {
        let wgsl = format!(
            "struct P {{ centre: vec2f, radius: f32, rows: mat3x4f }}
             override side: u32 = 16;
             {DST} @group(3) @binding(7) var src: texture_2d<f32>; @group(0) @binding(1) var<uniform> p: P;
             @group(0) @binding(2) var idle: texture_2d<f32>; @group(0) @binding(4) var smooth_: sampler;
             @compute @workgroup_size(side, side / 2u) fn main() {{
                 textureStore(dst, vec2u(0), textureSampleLevel(src, smooth_, p.centre, 0.0) * p.radius * p.rows[0]);
             }}"
        );
        let interface = interface(&wgsl).unwrap();
        let names: Vec<_> = interface.bindings.iter().map(|binding| &*binding.name).collect();
        assert_eq!(names, ["dst", "src", "smooth_"]);
        assert_eq!(interface.workgroup, [16, 8, 1]);
        assert_eq!(interface.unused, ["idle"]);
        let uniform = &interface.uniforms[0];
        assert_eq!((&*uniform.name, uniform.declared.bytes), ("p", 64));
        assert_eq!(uniform.declared.names(), "centre, radius, rows");
        assert_eq!(interface.groups().collect::<Vec<_>>(), [0..1, 1..2, 2..3]);
        let (module, narrow) = read(&wgsl, None, &[], Room { groups: 3, ..ROOM }).unwrap();
        assert_eq!(narrow.groups().collect::<Vec<_>>(), [0..1, 1..3]);
        let place = |name: &str| {
            module.global_variables.iter().find(|(_, variable)| variable.name.as_deref() == Some(name)).unwrap().1.binding
        };
        let at = |group, binding| Some(naga::ResourceBinding { group, binding });
        assert_eq!(["dst", "src", "smooth_", "p"].map(place), [at(0, 0), at(1, 0), at(1, 1), at(2, 0)]);
        let (_, sized) = read(&wgsl, None, &[("side".into(), 8.0)], ROOM).unwrap();
        assert_eq!(sized.workgroup, [8, 4, 1]);
    }

    #[test]
    fn mistakes_are_named() {
        let main = "@compute @workgroup_size(1) fn main() {}";
        let wrong = |text: &str| interface(text).unwrap_err();
        assert!(wrong("@fragment fn main() {}").contains("no compute entry point"));
        let two = "@compute @workgroup_size(1) fn a() {} @compute @workgroup_size(1) fn b() {}";
        assert!(wrong(two).contains("a, b: name one"));
        assert!(read(two, Some("c"), &[], ROOM).unwrap_err().contains("no entry point 'c'; it has a, b"));
        assert!(read(main, None, &[("side".into(), 1.0)], ROOM).unwrap_err().contains("no 'override side'"));
        let used = |declared: &str, body: &str| format!("{declared} @compute @workgroup_size(1) fn main() {{ {body} }}");
        let cube = used("@group(0) @binding(0) var sky: texture_cube<f32>;", "_ = textureDimensions(sky);");
        assert!(wrong(&cube).contains("'sky' is texture_cube<f32>, which is none of"), "{}", wrong(&cube));
        let big = used("@group(0) @binding(0) var<uniform> many: array<vec4f, 999>;", "_ = many[0];");
        assert!(wrong(&big).contains("'many' has 15984 bytes"), "{}", wrong(&big));
    }

    mod uniforms {
        use super::super::super::layout::{Uniform, UniformLayout};
        use super::*;

        #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        struct Padded {
            centre: [f32; 2],
            radius: f32,
            _padding: f32,
            color: [f32; 4],
        }
        crate::uniform_fields!(Padded { centre, radius, color });

        #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        struct Unpadded {
            centre: [f32; 2],
            radius: f32,
            color: [f32; 4],
        }
        crate::uniform_fields!(Unpadded { centre, radius, color });

        #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        struct Short {
            centre: [f32; 2],
            radius: u32,
        }
        crate::uniform_fields!(Short { centre, radius });

        fn check<U: Uniform>(declared: &str) -> Result<(), String> {
            let text = format!(
                "struct P {{ {declared} }} @group(0) @binding(0) var<uniform> p: P;
                 @compute @workgroup_size(1) fn main() {{ let all = p; }}"
            );
            interface(&text).unwrap().uniforms[0].declared.check(U::LAYOUT, size_of::<U>())
        }

        #[test]
        fn a_struct_fits_or_the_field_is_named() {
            let ball = "centre: vec2f, radius: f32, color: vec4f";
            assert_eq!(check::<Padded>(ball), Ok(()));
            assert_eq!(check::<Padded>("centre: vec2f, radius: f32, _padding: f32, color: vec4f"), Ok(()));
            let error = check::<Unpadded>(ball).unwrap_err();
            assert!(error.contains("'color', which lies at byte 16 in the WGSL, but at byte 12 in Rust"), "{error}");
            let error = check::<Short>("centre: vec2f, radius: f32").unwrap_err();
            assert!(error.contains("'radius', which is f32 in the WGSL, but u32 in Rust"), "{error}");
            let error = check::<Padded>("centre: vec2f, radius: f32").unwrap_err();
            assert!(error.contains("has no field 'color'; it has centre, radius"), "{error}");
            let error = check::<Short>("centre: vec2f, radius: u32, sides: u32").unwrap_err();
            assert!(error.contains("has a field 'sides', u32, that is not given"), "{error}");
        }

        #[test]
        fn single_values_and_matrices_fit_too() {
            let text = |ty: &str| {
                format!("@group(0) @binding(0) var<uniform> v: {ty}; @compute @workgroup_size(1) fn main() {{ let all = v; }}")
            };
            let check =
                |ty: &str, layout: UniformLayout, bytes| interface(&text(ty)).unwrap().uniforms[0].declared.check(layout, bytes);
            assert_eq!(check("f32", f32::LAYOUT, 4), Ok(()));
            assert_eq!(check("mat3x4f", <[[f32; 4]; 3]>::LAYOUT, 48), Ok(()));
            assert_eq!(check("array<vec4f, 3>", <[[f32; 4]; 3]>::LAYOUT, 48), Ok(()));
            assert_eq!(check("vec3u", <[u32; 3]>::LAYOUT, 12), Ok(()));
            assert!(check("mat3x3f", <[[f32; 3]; 3]>::LAYOUT, 36).unwrap_err().contains("16 bytes apart"));
            assert!(check("f32", u32::LAYOUT, 4).unwrap_err().contains("is f32, not u32"));
        }
    }
}
