//! One struct's bytes, read by the names of its fields.

use crate::dna::{Dna, Field, Struct};

/// One struct's bytes and what the file says about them. A field that the struct does not have, or that
/// lies beyond the bytes, is `None`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    dna: &'a Dna,
    shape: &'a Struct,
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    pub(crate) fn new(dna: &'a Dna, shape: &'a Struct, bytes: &'a [u8]) -> Self {
        Self { dna, shape, bytes }
    }

    /// What kind of struct it is.
    pub(crate) fn kind(&self) -> &'a str {
        self.dna.name_of(self.shape)
    }

    /// The struct within, by its field's name; dots go deeper: `r.im_format`.
    pub(crate) fn within(&self, path: &str) -> Option<Record<'a>> {
        let mut here = *self;
        for name in path.split('.') {
            let (field, bytes) = here.field(name)?;
            if field.pointer {
                return None;
            }
            here = Record::new(self.dna, self.dna.struct_of(&field)?, bytes);
        }
        Some(here)
    }

    /// A whole number, whatever its width.
    pub(crate) fn int(&self, path: &str) -> Option<i64> {
        let (owner, name) = self.owner(path)?;
        let (field, bytes) = owner.field(name)?;
        if field.pointer {
            return None;
        }
        let number = |width: usize| Some(self.dna.header.unsigned(bytes.get(..width)?));
        #[expect(
            clippy::cast_possible_wrap,
            clippy::cast_possible_truncation,
            reason = "the file's bits are taken as the type that it names"
        )]
        match self.dna.type_of(&field) {
            "char" | "int8_t" => number(1).map(|bits| i64::from(bits as u8 as i8)),
            "uchar" | "uint8_t" | "bool" => number(1).map(|bits| bits as i64),
            "short" | "int16_t" => number(2).map(|bits| i64::from(bits as u16 as i16)),
            "ushort" | "uint16_t" => number(2).map(|bits| bits as i64),
            "int" | "int32_t" => number(4).map(|bits| i64::from(bits as u32 as i32)),
            "uint" | "uint32_t" => number(4).map(|bits| bits as i64),
            "int64_t" | "uint64_t" => number(8).map(|bits| bits as i64),
            // `long` was 4 or 8 bytes; nothing that is read here ever was one.
            _ => None,
        }
    }

    /// A number with a fraction, whatever its width.
    pub(crate) fn float(&self, path: &str) -> Option<f64> {
        let (owner, name) = self.owner(path)?;
        let (field, bytes) = owner.field(name)?;
        let bits = |width: usize| Some(self.dna.header.unsigned(bytes.get(..width)?));
        match (field.pointer, self.dna.type_of(&field)) {
            (false, "float") => {
                let bits = u32::try_from(bits(4)?).ok()?;
                Some(f64::from(f32::from_bits(bits)))
            }
            (false, "double") => bits(8).map(f64::from_bits),
            _ => None,
        }
    }

    /// A flag word's bit.
    pub(crate) fn flag(&self, path: &str, bit: i64) -> bool {
        self.int(path).is_some_and(|flags| flags & bit != 0)
    }

    /// The bytes of a text field up to its first zero.
    pub(crate) fn bytes(&self, path: &str) -> Option<&'a [u8]> {
        let (owner, name) = self.owner(path)?;
        let (field, bytes) = owner.field(name)?;
        (!field.pointer).then(|| until_zero(bytes))
    }

    /// A text field.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        self.bytes(path)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// An address; `None` where it is null too.
    pub(crate) fn pointer(&self, path: &str) -> Option<u64> {
        let (owner, name) = self.owner(path)?;
        let (field, bytes) = owner.field(name)?;
        let width = self.dna.header.pointer;
        let address = self.dna.header.unsigned(bytes.get(..width)?);
        (field.pointer && address != 0).then_some(address)
    }

    /// The name of a datablock without the two letters of its kind: `Camera` of `OBCamera`.
    pub(crate) fn id_name(&self) -> String {
        let named = if self.kind() == "ID" { "name" } else { "id.name" };
        let bytes = self.bytes(named).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(2..).unwrap_or_default()).into_owned()
    }

    fn owner<'p>(&self, path: &'p str) -> Option<(Record<'a>, &'p str)> {
        match path.rsplit_once('.') {
            Some((owner, name)) => Some((self.within(owner)?, name)),
            None => Some((*self, path)),
        }
    }

    fn field(&self, name: &str) -> Option<(Field, &'a [u8])> {
        let field = self.dna.field(self.shape, name)?;
        let end = field.offset.checked_add(field.size)?;
        Some((field, self.bytes.get(field.offset..end)?))
    }
}

/// Text ends at its first zero.
pub(crate) fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
