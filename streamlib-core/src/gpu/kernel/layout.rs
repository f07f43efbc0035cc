//! How values lie in a uniform, on both sides: as the WGSL declares them and as a Rust struct has them.

use std::fmt;

use naga::common::wgsl::TypeContext as _;

/// Numbers that both sides know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// 32-bit floating point.
    F32,
    /// 32-bit signed.
    I32,
    /// 32-bit unsigned.
    U32,
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::I32 => "i32",
            Self::U32 => "u32",
        })
    }
}

/// The type of a uniform's field: a scalar, a vector, or several of one of these (a matrix is its columns).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UniformType {
    /// What it consists of.
    pub scalar: Scalar,
    /// Components of a vector, 2 to 4; 1 for a scalar.
    pub components: u32,
    /// How many there are.
    pub count: u32,
    /// Bytes from one to the next.
    pub stride: u32,
}

impl UniformType {
    /// One scalar or vector.
    pub const fn vector(scalar: Scalar, components: u32) -> Self {
        Self { scalar, components, count: 1, stride: 4 * components }
    }

    /// Several, one after the other.
    pub const fn times(self, count: usize) -> Self {
        Self { count: count as u32, ..self }
    }

    /// Bytes of one.
    const fn element_bytes(self) -> u32 {
        4 * self.components
    }

    /// Whether values of this type can be copied to where `self` is declared.
    fn is(self, other: Self) -> bool {
        let is_alike = self.scalar == other.scalar && self.components == other.components && self.count == other.count;
        is_alike && (self.count == 1 || self.stride == other.stride)
    }
}

/// `f32`, `vec3<f32>`, `4 of vec4<f32>`; a distance that leaves gaps is named.
impl fmt::Display for UniformType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count > 1 {
            write!(f, "{} of ", self.count)?;
        }
        match self.components {
            1 => write!(f, "{}", self.scalar)?,
            components => write!(f, "vec{components}<{}>", self.scalar)?,
        }
        if self.count > 1 && self.stride != self.element_bytes() {
            write!(f, ", {} bytes apart", self.stride)?;
        }
        Ok(())
    }
}

/// A field of a Rust struct that is a uniform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UniformField {
    /// As in the WGSL.
    pub name: &'static str,
    /// Bytes from the start of the struct.
    pub offset: usize,
    /// What it is.
    pub ty: UniformType,
}

/// What a Rust type is as a uniform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniformLayout {
    /// A single value: `var<uniform> gain: f32`.
    Value(UniformType),
    /// A struct, by its fields. What lies between them is padding.
    Fields(&'static [UniformField]),
}

/// A Rust type whose bytes a shader reads as a uniform: `f32`, `i32`, `u32`, arrays of 2 to 4 of them (vectors), arrays of those,
/// and structs for which [`uniform_fields!`](crate::uniform_fields) says so.
///
/// What the struct has is compared with what the WGSL declares, by names, offsets and types, so that a forgotten padding is an
/// error and not a wrong picture.
pub trait Uniform: bytemuck::NoUninit + Send {
    /// How it lies in memory.
    const LAYOUT: UniformLayout;
}

/// What a field of a [`Uniform`] struct can be.
pub trait UniformValue {
    /// As the WGSL has it.
    const TYPE: UniformType;
}

macro_rules! values {
    ($($scalar:ty, $kind:ident;)+) => {$(
        values!(@one $scalar, UniformType::vector(Scalar::$kind, 1));
        values!(@one [$scalar; 2], UniformType::vector(Scalar::$kind, 2));
        values!(@one [$scalar; 3], UniformType::vector(Scalar::$kind, 3));
        values!(@one [$scalar; 4], UniformType::vector(Scalar::$kind, 4));
        values!(@many [$scalar; 2]);
        values!(@many [$scalar; 3]);
        values!(@many [$scalar; 4]);
    )+};
    (@one $type:ty, $value:expr) => {
        impl UniformValue for $type {
            const TYPE: UniformType = $value;
        }
        impl Uniform for $type {
            const LAYOUT: UniformLayout = UniformLayout::Value(<$type as UniformValue>::TYPE);
        }
    };
    (@many $vector:ty) => {
        impl<const N: usize> UniformValue for [$vector; N] {
            const TYPE: UniformType = <$vector as UniformValue>::TYPE.times(N);
        }
        impl<const N: usize> Uniform for [$vector; N] {
            const LAYOUT: UniformLayout = UniformLayout::Value(<[$vector; N] as UniformValue>::TYPE);
        }
    };
}

values! {
    f32, F32;
    i32, I32;
    u32, U32;
}

/// No uniform: for pixel shaders without parameters.
impl Uniform for () {
    const LAYOUT: UniformLayout = UniformLayout::Fields(&[]);
}

/// The type of the field that `_get` reads. For [`uniform_fields!`](crate::uniform_fields).
#[doc(hidden)]
pub const fn type_of_field<T, V: UniformValue>(_get: fn(&T) -> &V) -> UniformType {
    V::TYPE
}

/// Makes a `#[repr(C)]` struct of plain numbers a [`Uniform`](crate::Uniform). Its fields have the names of the WGSL's; padding
/// is left out of the list.
///
/// ```
/// #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
/// #[repr(C)]
/// struct Ball {
///     centre: [f32; 2],
///     radius: f32,
///     _padding: f32,
///     color: [f32; 4],
/// }
///
/// streamlib_core::uniform_fields!(Ball { centre, radius, color });
/// ```
#[macro_export]
macro_rules! uniform_fields {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::Uniform for $type {
            const LAYOUT: $crate::UniformLayout = $crate::UniformLayout::Fields(&[$(
                $crate::UniformField {
                    name: ::core::stringify!($field),
                    offset: ::core::mem::offset_of!($type, $field),
                    ty: $crate::type_of_field(|this: &$type| &this.$field),
                },
            )*]);
        }
    };
}

/// A uniform as the WGSL declares it: for those who fill in its bytes by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredUniform {
    /// Its size, the padding at its end included.
    pub bytes: u32,
    /// One without a name where it is a single value.
    pub fields: Vec<DeclaredField>,
}

/// A field of a uniform as the WGSL declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredField {
    /// Of fields of inner structs `inner.field`. Those that begin with an underscore are padding.
    pub name: Option<String>,
    /// Bytes from the start of the uniform.
    pub offset: u32,
    /// What it is.
    pub ty: UniformType,
}

impl DeclaredField {
    /// Whether nobody need give it.
    pub fn is_padding(&self) -> bool {
        self.name.as_deref().is_some_and(is_padding)
    }
}

impl DeclaredUniform {
    /// What a type of the module is as a uniform. The error says what it cannot be: `field 'a.b' is a bool`.
    pub(in crate::gpu) fn of(module: &naga::Module, ty: naga::Handle<naga::Type>) -> Result<Self, String> {
        let mut fields = Vec::new();
        match &module.types[ty].inner {
            naga::TypeInner::Struct { members, .. } => collect(module, members, "", 0, &mut fields)?,
            _ => fields.push(DeclaredField {
                name: None,
                offset: 0,
                ty: uniform_type(module, ty).ok_or_else(|| format!("it is {}", describe(module, ty)))?,
            }),
        }
        Ok(Self { bytes: module.types[ty].inner.size(module.to_ctx()), fields })
    }

    /// Whether a Rust type of `bytes` bytes is what the WGSL declares. The error begins after the uniform's name.
    pub(in crate::gpu) fn check(&self, layout: UniformLayout, bytes: usize) -> Result<(), String> {
        match layout {
            UniformLayout::Value(ty) => match self.fields.as_slice() {
                [DeclaredField { name: None, ty: declared, .. }] if declared.is(ty) => {}
                _ => return Err(format!("is {}, not {ty}", self.describe())),
            },
            UniformLayout::Fields(fields) => self.check_fields(fields)?,
        }
        if bytes > self.bytes as usize {
            return Err(format!("has {} bytes in the WGSL, but {bytes} in Rust", self.bytes));
        }
        Ok(())
    }

    fn check_fields(&self, fields: &[UniformField]) -> Result<(), String> {
        for declared in &self.fields {
            let Some(name) = &declared.name else { return Err(format!("is {}, not a struct", self.describe())) };
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                if is_padding(name) {
                    continue;
                }
                return Err(format!(
                    "has a field '{name}', {}, that is not given: add it to the Rust struct and to its `uniform_fields!`",
                    declared.ty
                ));
            };
            if !declared.ty.is(field.ty) {
                return Err(format!("has a field '{name}', which is {} in the WGSL, but {} in Rust", declared.ty, field.ty));
            }
            if declared.offset as usize != field.offset {
                return Err(format!(
                    "has a field '{name}', which lies at byte {} in the WGSL, but at byte {} in Rust: pad or reorder the fields before it",
                    declared.offset, field.offset
                ));
            }
        }
        match fields.iter().find(|field| self.field(field.name).is_none()) {
            Some(unknown) => Err(format!("has no field '{}'; it has {}", unknown.name, self.names())),
            None => Ok(()),
        }
    }

    /// Writes every field to its place. The error begins after the uniform's name.
    pub(in crate::gpu) fn write(&self, fields: &[(&str, &dyn super::UniformNumber)], bytes: &mut [u8]) -> Result<(), String> {
        for declared in &self.fields {
            let name = declared.name.as_deref().unwrap_or_default();
            let Some((_, value)) = fields.iter().find(|(given, _)| *given == name) else {
                if is_padding(name) {
                    continue;
                }
                return Err(format!("has a field '{name}', {}, that is not given", declared.ty));
            };
            if !declared.ty.is(value.ty()) {
                return Err(format!("has a field '{name}', which is {}, but was given {}", declared.ty, value.ty()));
            }
            let value = value.bytes();
            let offset = declared.offset as usize;
            bytes[offset..offset + value.len()].copy_from_slice(value);
        }
        let is_declared = |name: &str| self.fields.iter().any(|field| field.name.as_deref().unwrap_or_default() == name);
        match fields.iter().find(|(name, _)| !is_declared(name)) {
            Some((unknown, _)) => Err(format!("has no field '{unknown}'; it has {}", self.names())),
            None => Ok(()),
        }
    }

    pub(in crate::gpu) fn field(&self, name: &str) -> Option<&DeclaredField> {
        self.fields.iter().find(|field| field.name.as_deref() == Some(name))
    }

    /// The fields that are not padding.
    pub(in crate::gpu) fn names(&self) -> String {
        let names = self.fields.iter().filter_map(|field| field.name.as_deref()).filter(|name| !is_padding(name));
        names.collect::<Vec<_>>().join(", ")
    }

    fn describe(&self) -> String {
        match self.fields.as_slice() {
            [DeclaredField { name: None, ty, .. }] => ty.to_string(),
            _ => format!("a struct of {}", self.names()),
        }
    }
}

/// Names that begin so are nobody's business.
fn is_padding(name: &str) -> bool {
    name.starts_with('_')
}

fn collect(
    module: &naga::Module,
    members: &[naga::StructMember],
    prefix: &str,
    start: u32,
    fields: &mut Vec<DeclaredField>,
) -> Result<(), String> {
    for member in members {
        let name = format!("{prefix}{}", member.name.as_deref().unwrap_or("?"));
        let offset = start + member.offset;
        if let naga::TypeInner::Struct { members, .. } = &module.types[member.ty].inner {
            collect(module, members, &format!("{name}."), offset, fields)?;
            continue;
        }
        let ty =
            uniform_type(module, member.ty).ok_or_else(|| format!("its field '{name}' is {}", describe(module, member.ty)))?;
        fields.push(DeclaredField { name: Some(name), offset, ty });
    }
    Ok(())
}

fn scalar(scalar: naga::Scalar) -> Option<Scalar> {
    match scalar {
        naga::Scalar::F32 => Some(Scalar::F32),
        naga::Scalar::I32 => Some(Scalar::I32),
        naga::Scalar::U32 => Some(Scalar::U32),
        _ => None,
    }
}

fn uniform_type(module: &naga::Module, ty: naga::Handle<naga::Type>) -> Option<UniformType> {
    match module.types[ty].inner {
        naga::TypeInner::Scalar(of) => Some(UniformType::vector(scalar(of)?, 1)),
        naga::TypeInner::Vector { size, scalar: of } => Some(UniformType::vector(scalar(of)?, size as u32)),
        naga::TypeInner::Matrix { columns, rows, scalar: of } => {
            // A column of three is as far from the next as one of four.
            let stride = if rows == naga::VectorSize::Bi { 8 } else { 16 };
            Some(UniformType { count: columns as u32, stride, ..UniformType::vector(scalar(of)?, rows as u32) })
        }
        naga::TypeInner::Array { base, size: naga::ArraySize::Constant(count), stride } => {
            let element = uniform_type(module, base).filter(|element| element.count == 1)?;
            Some(UniformType { count: count.get(), stride, ..element })
        }
        _ => None,
    }
}

fn describe(module: &naga::Module, ty: naga::Handle<naga::Type>) -> String {
    format!(
        "{}; uniforms hold f32, i32, u32, vectors and matrices of them, and arrays of vectors",
        module.to_ctx().type_to_string(ty)
    )
}
