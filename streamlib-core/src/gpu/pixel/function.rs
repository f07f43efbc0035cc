//! A pixel shader's WGSL: checked, and written again under names of its own, so that several can stand in one module.

use naga::common::wgsl::TypeContext as _;
use naga::valid::{Capabilities, ValidationFlags, Validator};

use crate::gpu::uniform::MAX_UNIFORM_BYTES;
use crate::gpu::wgsl;
use crate::gpu::{DeclaredUniform, Uniform};
use crate::{Error, ErrorKind, Result};

/// What the function of a pixel shader is called.
const NAME: &str = "pixel";

/// How it looks.
const SIGNATURE: &str = "fn pixel(color: vec4f, position: vec2f) -> vec4f, or with its parameters as a third argument, a struct";

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("the pixel shader{message}"))
}

/// The WGSL of a pixel shader, checked.
#[derive(Clone, Debug)]
pub(crate) struct PixelFunction {
    module: naga::Module,
    function: naga::Handle<naga::Function>,
    /// Its third argument.
    parameters: Option<(naga::Handle<naga::Type>, DeclaredUniform)>,
}

impl PixelFunction {
    /// Checks the text and that its parameters lie in memory as `U` does. Mistakes are [`ErrorKind::InvalidArgument`] with line,
    /// column and text.
    pub(crate) fn new<U: Uniform>(text: &str) -> Result<Self> {
        let this = Self::parse(text)?;
        this.check_parameters::<U>().map_err(|message| wrong(format!(" {message}")))?;
        this.check_fused()
    }

    /// The same for those who fill in the parameters as they are declared.
    pub(crate) fn with_declared(text: &str) -> Result<Self> {
        Self::parse(text)?.check_fused()
    }

    fn parse(text: &str) -> Result<Self> {
        let (module, _) = wgsl::checked(text).map_err(|message| wrong(message).hint("correct the WGSL"))?;
        Self::read(module).map_err(|message| wrong(message).hint(format!("write {SIGNATURE}")))
    }

    /// A function that uses what compute shaders lack is sound by itself.
    fn check_fused(self) -> Result<Self> {
        let whole = super::group::stand_alone(&self).map_err(|message| wrong(format!(" cannot be fused: {message}")))?;
        let module = naga::front::wgsl::parse_str(&whole).map_err(|error| wrong(format!(" cannot be fused: {error}")))?;
        Validator::new(ValidationFlags::all(), Capabilities::default())
            .validate(&module)
            .map_err(|error| wrong(format!(" cannot run in a compute shader: {}", wgsl::chain(error.as_inner()))))?;
        Ok(self)
    }

    fn read(module: naga::Module) -> Result<Self, String> {
        if let Some((_, variable)) = module.global_variables.iter().next() {
            let name = variable.name.as_deref().unwrap_or("?");
            return Err(format!(
                " declares the variable '{name}', but it has only its arguments: use a kernel for anything else"
            ));
        }
        if let Some((_, found)) = module.overrides.iter().next() {
            let name = found.name.as_deref().unwrap_or("?");
            return Err(format!(" declares 'override {name}', which nothing could set: make it a parameter"));
        }
        if let Some(entry) = module.entry_points.first() {
            return Err(format!(" has an entry point, '{}': a kernel has one, a pixel shader has a function", entry.name));
        }
        let (function, found) = module
            .functions
            .iter()
            .find(|(_, function)| function.name.as_deref() == Some(NAME))
            .ok_or_else(|| format!(" has no function '{NAME}'"))?;
        let ty = |ty: naga::Handle<naga::Type>| module.to_ctx().type_to_string(ty);
        let is_vector = |ty: naga::Handle<naga::Type>, wanted| matches!(module.types[ty].inner, naga::TypeInner::Vector { size, scalar: naga::Scalar::F32 } if size == wanted);
        let is_color = |ty| is_vector(ty, naga::VectorSize::Quad);
        let given = found.arguments.iter().map(|argument| ty(argument.ty)).collect::<Vec<_>>().join(", ");
        let result = found.result.as_ref().map(|result| result.ty);
        let fits = match found.arguments.as_slice() {
            [color, position] | [color, position, _] => is_color(color.ty) && is_vector(position.ty, naga::VectorSize::Bi),
            _ => false,
        };
        if !fits || !result.is_some_and(is_color) {
            let result = result.map_or_else(|| "nothing".into(), ty);
            return Err(format!(" has a function '{NAME}' from ({given}) to {result}"));
        }
        let parameters = match found.arguments.get(2).map(|argument| argument.ty) {
            None => None,
            Some(parameters) if matches!(module.types[parameters].inner, naga::TypeInner::Struct { .. }) => {
                let declared = DeclaredUniform::of(&module, parameters)
                    .map_err(|what| format!(" has parameters that cannot be given: {what}"))?;
                if u64::from(declared.bytes) > MAX_UNIFORM_BYTES / 4 {
                    return Err(format!(
                        " has {} bytes of parameters; at most {} are passed",
                        declared.bytes,
                        MAX_UNIFORM_BYTES / 4
                    ));
                }
                Some((parameters, declared))
            }
            Some(_) => return Err(format!(" has a function '{NAME}' from ({given}), whose third argument is no struct")),
        };
        Ok(Self { function, parameters, module })
    }

    fn check_parameters<U: Uniform>(&self) -> Result<(), String> {
        match &self.parameters {
            Some((_, declared)) => {
                let fits = declared.check(U::LAYOUT, size_of::<U>());
                fits.map_err(|message| format!("takes parameters, a struct that {message}"))
            }
            None if size_of::<U>() == 0 => Ok(()),
            None => Err("takes no parameters, but its processor has some: give the function a third argument".into()),
        }
    }

    /// What it takes as its third argument, if it has one.
    pub(crate) fn parameters(&self) -> Option<&DeclaredUniform> {
        self.parameters.as_ref().map(|(_, declared)| declared)
    }

    /// Bytes of its parameters; 0 if it has none.
    pub(super) fn parameter_bytes(&self) -> u32 {
        self.parameters.as_ref().map_or(0, |(_, declared)| declared.bytes)
    }

    /// The same module as WGSL in which everything has `prefix` before its name: the function is `{prefix}pixel`, the struct of its
    /// parameters `{prefix}parameters_of_pixel`.
    pub(super) fn text(&self, prefix: &str) -> Result<String, String> {
        let mut module = self.module.clone();
        let named = |name: &mut Option<String>| *name = name.take().map(|name| format!("{prefix}{name}"));
        let predeclared: Vec<_> = module.special_types.predeclared_types.values().copied().collect();
        let types: Vec<_> = module.types.iter().map(|(handle, ty)| (handle, ty.clone())).collect();
        for (handle, mut ty) in types {
            if ty.name.is_none() || predeclared.contains(&handle) {
                continue;
            }
            match &self.parameters {
                Some((parameters, _)) if *parameters == handle => ty.name = Some(format!("{prefix}parameters_of_{NAME}")),
                _ => named(&mut ty.name),
            }
            module.types.replace(handle, ty);
        }
        module.constants.iter_mut().for_each(|(_, constant)| named(&mut constant.name));
        module.functions.iter_mut().for_each(|(_, function)| named(&mut function.name));
        module.functions[self.function].name = Some(format!("{prefix}{NAME}"));
        let info =
            Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).map_err(|error| error.to_string())?;
        naga::back::wgsl::write_string(&module, &info, naga::back::wgsl::WriterFlags::EXPLICIT_TYPES)
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        PixelFunction::new::<()>(text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_pixel_shader_says_why() {
        for (text, expected) in [
            ("fn pixel(color: vec4f, position: vec2f) -> vec4f {\n return colour; }", "line 2, column 9"),
            (
                "fn shade(color: vec4f, position: vec2f) -> vec4f { return color; }",
                "has no function 'pixel'; write fn pixel(color: vec4f",
            ),
            (
                "fn pixel(color: vec3f, position: vec2f) -> vec3f { return color; }",
                "from (vec3<f32>, vec2<f32>) to vec3<f32>; write",
            ),
            ("fn pixel(color: vec4f, position: vec2f, level: f32) -> vec4f { return color; }", "third argument is no struct"),
            (
                "@group(0) @binding(0) var src: texture_2d<f32>; fn pixel(c: vec4f, p: vec2f) -> vec4f { return textureLoad(src, vec2u(p), 0); }",
                "'src', but it has only its arguments: use a kernel",
            ),
            ("var<private> sum: f32; fn pixel(c: vec4f, p: vec2f) -> vec4f { sum += 1.0; return c * sum; }", "variable 'sum'"),
            ("override gain: f32 = 1.0; fn pixel(c: vec4f, p: vec2f) -> vec4f { return c * gain; }", "'override gain'"),
            ("fn pixel(c: vec4f, p: vec2f) -> vec4f { return c + dpdx(c); }", "cannot run in a compute shader"),
            (
                "struct P { level: f32 } fn pixel(c: vec4f, p: vec2f, q: P) -> vec4f { return c * q.level; }",
                "'level', f32, that is not given",
            ),
            ("struct P { on: array<f32, 3> } fn pixel(c: vec4f, p: vec2f, q: P) -> vec4f { return c * q.on[0]; }", "'on'"),
        ] {
            let said = refused(text);
            assert!(said.contains(expected), "{said}");
        }
        let said = PixelFunction::new::<f32>("fn pixel(c: vec4f, p: vec2f) -> vec4f { return c; }").unwrap_err().to_string();
        assert!(said.contains("takes no parameters, but its processor has some"), "{said}");
    }

    #[test]
    fn everything_gets_a_name_of_its_own() {
        let text = "const TWO = 2.0; struct Inner { level: f32 } fn twice(x: f32) -> f32 { return modf(x).whole + TWO * x; }
            fn pixel(c: vec4f, p: vec2f) -> vec4f { var inner: Inner; inner.level = twice(c.r); return vec4f(inner.level); }";
        let function = PixelFunction::new::<()>(text).unwrap();
        let both = format!("{}{}", function.text("a_").unwrap(), function.text("b_").unwrap());
        assert!(both.contains("fn a_pixel(") && both.contains("fn b_pixel("), "{both}");
        naga::front::wgsl::parse_str(&both).unwrap_or_else(|error| panic!("{}", error.emit_to_string(&both)));
    }
}
