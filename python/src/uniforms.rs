//! Python's numbers in the layout that a shader declares.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyString, PyTuple};
use smallvec::SmallVec;
use streamlib::{DeclaredUniform, Scalar, UniformType};

use crate::errors::{Failure, Outcome, wrong, wrong_type};

/// Bytes on their way into a uniform.
pub(crate) type Bytes = SmallVec<[u8; 256]>;

/// A uniform's fields and where each lies.
pub(crate) struct Layout {
    bytes: usize,
    fields: Vec<Field>,
    /// A single value, or a struct.
    is_value: bool,
}

struct Field {
    /// The keys that lead to it: more than one for what lies in an inner struct.
    path: Vec<Py<PyString>>,
    name: String,
    offset: usize,
    ty: UniformType,
    is_padding: bool,
}

impl Layout {
    pub(crate) fn new(py: Python<'_>, declared: &DeclaredUniform) -> Self {
        let field = |field: &streamlib::DeclaredField| {
            let name = field.name.clone().unwrap_or_default();
            Field {
                path: name.split('.').map(|key| PyString::intern(py, key).unbind()).collect(),
                offset: field.offset as usize,
                ty: field.ty,
                is_padding: field.is_padding(),
                name,
            }
        };
        let is_value = matches!(declared.fields.as_slice(), [field] if field.name.is_none());
        Self { bytes: declared.bytes as usize, fields: declared.fields.iter().map(field).collect(), is_value }
    }

    /// The bytes of a value: a number or a sequence of numbers, or, for a struct, a dict by its fields' names. `argument` is what errors call it.
    pub(crate) fn pack(&self, argument: &str, value: &Bound<'_, PyAny>) -> Outcome<Bytes> {
        let mut bytes = Bytes::from_elem(0, self.bytes);
        if let ([field], true) = (self.fields.as_slice(), self.is_value) {
            write(argument, field.ty, value, &mut bytes[field.offset..])?;
            return Ok(bytes);
        }
        let Ok(given) = value.cast::<PyDict>() else {
            return Err(wrong_type(argument, &format!("a dict with {}", self.names()), value));
        };
        let mut found = 0;
        for field in &self.fields {
            let Some(value) = field.find(given)? else {
                if field.is_padding {
                    continue;
                }
                return Err(wrong(
                    argument,
                    format!("field '{}', {}, is not given; it has {}", field.name, field.ty, self.names()),
                ));
            };
            found += 1;
            match write(argument, field.ty, &value, &mut bytes[field.offset..]) {
                Ok(()) => {}
                Err(Failure::Python(error)) => return Err(in_field(value.py(), argument, &field.name, error)),
                Err(other) => return Err(other),
            }
        }
        // As many as there are: none is unknown. Inner structs are counted by their fields.
        if given.len() > found || self.fields.iter().any(|field| field.path.len() > 1) {
            self.refuse_unknown(argument, given)?;
        }
        Ok(bytes)
    }

    fn refuse_unknown(&self, argument: &str, given: &Bound<'_, PyDict>) -> Outcome<()> {
        self.refuse_unknown_in(argument, "", given)
    }

    /// `within` is the path to an inner struct: `camera.`.
    fn refuse_unknown_in(&self, argument: &str, within: &str, given: &Bound<'_, PyDict>) -> Outcome<()> {
        for (key, value) in given {
            let name = format!("{within}{key}");
            let inner = format!("{name}.");
            if self.fields.iter().any(|field| field.name == name) {
                continue;
            }
            match value.cast::<PyDict>() {
                Ok(fields) if self.fields.iter().any(|field| field.name.starts_with(&inner)) => {
                    self.refuse_unknown_in(argument, &inner, fields)?;
                }
                _ => return Err(wrong(argument, format!("there is no field '{name}'; it has {}", self.names()))),
            }
        }
        Ok(())
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.fields.iter().filter(|field| !field.is_padding).map(|field| &*field.name).collect();
        names.join(", ")
    }

    /// The bytes of an object's attributes of the fields' names.
    pub(crate) fn pack_attributes(&self, object: &Bound<'_, PyAny>) -> Outcome<Bytes> {
        let values = PyDict::new(object.py());
        for key in self.keys() {
            values.set_item(key, object.getattr(key)?)?;
        }
        self.pack("uniform", &values)
    }

    /// The names under which its fields are given.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Py<PyString>> {
        self.fields.iter().filter(|field| !field.is_padding).filter_map(|field| field.path.first())
    }
}

impl Field {
    fn find<'py>(&self, given: &Bound<'py, PyDict>) -> Outcome<Option<Bound<'py, PyAny>>> {
        let py = given.py();
        let mut found: Bound<'py, PyAny> = given.clone().into_any();
        for key in &self.path {
            let Ok(map) = found.cast::<PyDict>() else { return Ok(None) };
            let Some(next) = map.get_item(key.bind(py))? else { return Ok(None) };
            found = next;
        }
        Ok(Some(found))
    }
}

/// The same error, naming the field.
fn in_field(py: Python<'_>, argument: &str, field: &str, error: PyErr) -> Failure {
    let text = error.value(py).to_string();
    let text = text.strip_prefix(&format!("argument '{argument}': ")).unwrap_or(&text).to_owned();
    let message = format!("argument '{argument}': field '{field}': {text}");
    Failure::Python(PyErr::from_type(error.get_type(py), message))
}

/// Writes a number, a vector or several of these.
fn write(argument: &str, ty: UniformType, value: &Bound<'_, PyAny>, bytes: &mut [u8]) -> Outcome<()> {
    if ty.components == 1 && ty.count == 1 {
        bytes[..4].copy_from_slice(&number(argument, ty, value)?);
        return Ok(());
    }
    let components = ty.components as usize;
    if ty.count == 1 {
        return vector(argument, ty, components, value, bytes);
    }
    let items = sequence(argument, ty, ty.count as usize, value)?;
    for (index, item) in items.iter().enumerate() {
        let bytes = &mut bytes[index * ty.stride as usize..];
        match components {
            1 => bytes[..4].copy_from_slice(&number(argument, ty, item)?),
            components => vector(argument, ty, components, item, bytes)?,
        }
    }
    Ok(())
}

fn vector(argument: &str, ty: UniformType, components: usize, value: &Bound<'_, PyAny>, bytes: &mut [u8]) -> Outcome<()> {
    let mut places = bytes.chunks_exact_mut(4);
    // The usual way to write one; nothing is collected for it.
    if let Ok(items) = value.cast_exact::<PyTuple>()
        && items.len() == components
    {
        for (place, item) in places.by_ref().zip(items.iter_borrowed()) {
            place.copy_from_slice(&number(argument, ty, &item)?);
        }
        return Ok(());
    }
    for (place, item) in places.zip(&sequence(argument, ty, components, value)?) {
        place.copy_from_slice(&number(argument, ty, item)?);
    }
    Ok(())
}

fn sequence<'py>(
    argument: &str,
    ty: UniformType,
    length: usize,
    value: &Bound<'py, PyAny>,
) -> Outcome<SmallVec<[Bound<'py, PyAny>; 4]>> {
    let expected = || format!("{length} numbers or vectors ({ty})");
    let Ok(items) = value.try_iter() else { return Err(wrong_type(argument, &expected(), value)) };
    let items = items.collect::<PyResult<SmallVec<[_; 4]>>>()?;
    match items.len() == length {
        true => Ok(items),
        false => Err(wrong(argument, format!("it has {} elements, expected {}", items.len(), expected()))),
    }
}

fn number(argument: &str, ty: UniformType, value: &Bound<'_, PyAny>) -> Outcome<[u8; 4]> {
    if let (Scalar::F32, Ok(value)) = (ty.scalar, value.cast_exact::<PyFloat>()) {
        return Ok((value.value() as f32).to_ne_bytes());
    }
    let outside = || wrong(argument, format!("{value} is outside of {}", ty.scalar));
    let expected = |what: &str| wrong_type(argument, &format!("{what} ({})", ty.scalar), value);
    Ok(match ty.scalar {
        Scalar::F32 => (value.extract::<f64>().map_err(|_| expected("a number"))? as f32).to_ne_bytes(),
        Scalar::I32 => {
            let whole = value.extract::<i64>().map_err(|_| expected("an integer"))?;
            i32::try_from(whole).map_err(|_| outside())?.to_ne_bytes()
        }
        Scalar::U32 => {
            let whole = value.extract::<i64>().map_err(|_| expected("an integer"))?;
            u32::try_from(whole).map_err(|_| outside())?.to_ne_bytes()
        }
    })
}
