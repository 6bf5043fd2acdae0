//! The description that every .blend carries of its own structs (SDNA): where each field of each struct
//! lies, by name. Nothing else in this crate knows an offset or a width.

use std::collections::HashMap;

use crate::header::Header;
use crate::inspect_error::InspectError;

/// The structs of one file.
#[derive(Debug)]
pub(crate) struct Dna {
    pub(crate) header: Header,
    types: Vec<String>,
    /// Which struct a type is, where it is one.
    struct_of_type: Vec<Option<u32>>,
    names: Vec<String>,
    structs: Vec<Struct>,
    by_name: HashMap<String, u32>,
}

/// One struct.
#[derive(Debug)]
pub(crate) struct Struct {
    kind: u16,
    /// Bytes of one.
    pub(crate) size: usize,
    fields: Vec<Field>,
}

/// One field: `char name[66]` or `*next`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    name: u16,
    kind: u16,
    pub(crate) offset: usize,
    /// Bytes of all its elements.
    pub(crate) size: usize,
    pub(crate) pointer: bool,
}

/// What a name says beside the name.
#[derive(Clone, Copy)]
struct Shape {
    elements: usize,
    pointer: bool,
}

const DAMAGED: InspectError = InspectError::Damaged("its description of structs makes no sense");

impl Dna {
    /// Reads the contents of a `DNA1` block. Memory is bounded by the block's own length.
    pub(crate) fn parse(bytes: &[u8], header: Header) -> Result<Self, InspectError> {
        let mut cursor = Cursor { bytes, at: 0, header };
        cursor.expect(*b"SDNA")?;
        cursor.expect(*b"NAME")?;
        let spelled = cursor.strings()?;
        cursor.expect(*b"TYPE")?;
        let types = cursor.strings()?;
        cursor.expect(*b"TLEN")?;
        let sizes = (0..types.len())
            .map(|_| cursor.short().map(usize::from))
            .collect::<Result<Vec<_>, _>>()?;
        cursor.expect(*b"STRC")?;
        let count = cursor.count()?;

        let shapes: Vec<Shape> = spelled.iter().map(|name| shape(name)).collect();
        let names = spelled.iter().map(|name| bare(name).to_owned()).collect();
        let mut dna = Self {
            header,
            struct_of_type: vec![None; types.len()],
            types,
            names,
            structs: Vec::new(),
            by_name: HashMap::new(),
        };
        for index in 0..count {
            let index = u32::try_from(index).map_err(|_| DAMAGED)?;
            let one = dna.read_struct(&mut cursor, &sizes, &shapes)?;
            let name = dna.types.get(usize::from(one.kind)).ok_or(DAMAGED)?.clone();
            if let Some(place) = dna.struct_of_type.get_mut(usize::from(one.kind)) {
                *place = Some(index);
            }
            dna.by_name.insert(name, index);
            dna.structs.push(one);
        }
        Ok(dna)
    }

    fn read_struct(
        &self,
        cursor: &mut Cursor<'_>,
        sizes: &[usize],
        shapes: &[Shape],
    ) -> Result<Struct, InspectError> {
        let kind = cursor.short()?;
        let count = cursor.short()?;
        let mut fields = Vec::new();
        let mut offset: usize = 0;
        for _ in 0..count {
            let (kind, name) = (cursor.short()?, cursor.short()?);
            let one = *sizes.get(usize::from(kind)).ok_or(DAMAGED)?;
            let shape = shapes.get(usize::from(name)).ok_or(DAMAGED)?;
            let each = if shape.pointer { self.header.pointer } else { one };
            let size = each.checked_mul(shape.elements).ok_or(DAMAGED)?;
            fields.push(Field {
                name,
                kind,
                offset,
                size,
                pointer: shape.pointer,
            });
            offset = offset.checked_add(size).ok_or(DAMAGED)?;
        }
        let size = *sizes.get(usize::from(kind)).ok_or(DAMAGED)?;
        Ok(Struct { kind, size, fields })
    }

    /// The struct with this number.
    pub(crate) fn get(&self, index: u32) -> Option<&Struct> {
        self.structs.get(usize::try_from(index).ok()?)
    }

    /// The number of the struct with this name.
    pub(crate) fn index_of(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// How many structs there are.
    pub(crate) fn len(&self) -> usize {
        self.structs.len()
    }

    /// What a struct is called.
    pub(crate) fn name_of(&self, one: &Struct) -> &str {
        self.types.get(usize::from(one.kind)).map_or("", String::as_str)
    }

    /// A field of a struct by its name.
    pub(crate) fn field(&self, of: &Struct, name: &str) -> Option<Field> {
        of.fields
            .iter()
            .find(|field| {
                self.names
                    .get(usize::from(field.name))
                    .is_some_and(|own| own == name)
            })
            .copied()
    }

    /// The type of a field: `int`, `char`, `ID`.
    pub(crate) fn type_of(&self, field: &Field) -> &str {
        self.types.get(usize::from(field.kind)).map_or("", String::as_str)
    }

    /// The struct that a field is, where it is one.
    pub(crate) fn struct_of(&self, field: &Field) -> Option<&Struct> {
        let index = (*self.struct_of_type.get(usize::from(field.kind))?)?;
        self.get(index)
    }
}

/// `*name[4][4]` and `(*call)()` without what is around the name.
fn bare(spelled: &str) -> &str {
    let start = spelled.trim_start_matches(['*', '(']);
    start.split(['[', ')']).next().unwrap_or(start)
}

fn shape(spelled: &str) -> Shape {
    let elements = spelled
        .split('[')
        .skip(1)
        .filter_map(|part| part.split(']').next()?.parse::<usize>().ok())
        .fold(1, usize::saturating_mul);
    Shape {
        elements,
        pointer: spelled.starts_with(['*', '(']),
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    header: Header,
}

impl Cursor<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8], InspectError> {
        let end = self.at.checked_add(count).ok_or(DAMAGED)?;
        let taken = self.bytes.get(self.at..end).ok_or(DAMAGED)?;
        self.at = end;
        Ok(taken)
    }

    /// Each part starts at a multiple of four.
    fn expect(&mut self, tag: [u8; 4]) -> Result<(), InspectError> {
        self.at = self.at.next_multiple_of(4);
        (self.take(4)? == tag).then_some(()).ok_or(DAMAGED)
    }

    fn short(&mut self) -> Result<u16, InspectError> {
        let header = self.header;
        let number = header.unsigned(self.take(2)?);
        u16::try_from(number).map_err(|_| DAMAGED)
    }

    /// Numbers of names, types and structs; all are referred to by 16 bits.
    fn count(&mut self) -> Result<usize, InspectError> {
        let header = self.header;
        let number = header.unsigned(self.take(4)?);
        u16::try_from(number).map(usize::from).map_err(|_| DAMAGED)
    }

    fn strings(&mut self) -> Result<Vec<String>, InspectError> {
        let count = self.count()?;
        let mut strings = Vec::new();
        for _ in 0..count {
            let rest = self.bytes.get(self.at..).ok_or(DAMAGED)?;
            let end = rest.iter().position(|byte| *byte == 0).ok_or(DAMAGED)?;
            let text = std::str::from_utf8(&rest[..end]).map_err(|_| DAMAGED)?;
            strings.push(text.to_owned());
            self.at += end + 1;
        }
        Ok(strings)
    }
}
