//! Checks WGSL before any driver sees it, so that a mistake is named with its place and its line.

use naga::SourceLocation;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

use super::stack::with_room;

/// The module and what naga found out about it, if it is sound. Otherwise what is wrong, as `, line 2, column 11: no definition in scope for identifier: `y` (in
/// "let x = y;")`.
pub(super) fn checked(wgsl: &str) -> Result<(naga::Module, ModuleInfo), String> {
    with_room(wgsl.len(), || {
        let parsed = naga::front::wgsl::parse_str(wgsl);
        let module = parsed.map_err(|error| at(wgsl, error.location(wgsl), error.message().to_string()))?;
        let info = validated(&module, wgsl)?;
        Ok((module, info))
    })?
}

/// What naga finds out about a module of this text, if it is sound.
pub(super) fn validated(module: &naga::Module, text: &str) -> Result<ModuleInfo, String> {
    // What an adapter lacks is found when the pipeline is made.
    match Validator::new(ValidationFlags::all(), Capabilities::all()).validate(module) {
        Ok(info) => Ok(info),
        Err(error) => {
            // Of the places that naga names, the smallest: the others are what it lies in.
            let ranges = error.spans().filter_map(|(span, _)| Some((span.to_range()?.len(), *span)));
            let place = ranges.min_by_key(|(length, _)| *length).map(|(_, span)| span.location(text));
            Err(at(text, place, chain(error.as_inner())))
        }
    }
}

/// naga's errors name the entry point first and the mistake last.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

pub(super) fn at(wgsl: &str, location: Option<SourceLocation>, message: String) -> String {
    let Some(location) = location.filter(|location| location.line_number > 0) else { return format!(": {message}") };
    let (line, column) = (location.line_number, location.line_position);
    let text = wgsl.lines().nth(line as usize - 1).unwrap_or_default().trim();
    format!(", line {line}, column {column}: {message} (in \"{text}\")")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_have_a_line_a_column_and_a_text() {
        for (wgsl, expected) in [
            ("fn f() {\n  let x = missing;\n}", ["line 2, column 11", "`missing`", "(in \"let x = missing;\")"]),
            ("fn f() {\n  let x = 1\n  let y = 2;\n}", ["line 3, column 3", "expected", "(in \"let y = 2;\")"]),
            ("fn f() -> f32 {\n  return 1 + vec2f(true);\n}", ["line 2, column", "vec2", "(in \"return 1 + vec2f(true);\")"]),
            ("var<private> a: f32;\nfn f() -> u32 {\n  return a;\n}", ["line 3, column", "return", "(in \"return a;\")"]),
            ("struct S { a: f3 }", ["line 1, column 15", "`f3`", "(in \"struct S { a: f3 }\")"]),
        ] {
            let message = checked(wgsl).unwrap_err();
            assert!(expected.iter().all(|part| message.contains(part)), "{message}");
        }
    }
}
