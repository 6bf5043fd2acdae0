//! Settings that add-ons keep in a datablock, Cycles among them: named values in groups (`IDProperty`).

use crate::group::Datablock;
use crate::record::Record;

/// Values that `IDProperty.type` names.
const INT: i64 = 1;
const GROUP: i64 = 6;
const BOOLEAN: i64 = 10;

/// The most properties of one group looked at: a list that leads in circles ends here.
const MOST: usize = 1000;

/// A group of properties.
#[derive(Clone, Copy)]
pub(crate) struct Properties<'d, 'a> {
    data: &'d Datablock<'a>,
    group: Record<'a>,
}

impl<'d, 'a> Properties<'d, 'a> {
    /// The properties of a datablock that a field of its struct points to.
    pub(crate) fn of(data: &'d Datablock<'a>, owner: &Record<'a>, field: &str) -> Option<Self> {
        let group = data.at(owner.pointer(field)?).next()?;
        Self::new(data, group)
    }

    fn new(data: &'d Datablock<'a>, group: Record<'a>) -> Option<Self> {
        (group.kind() == "IDProperty" && group.int("type") == Some(GROUP)).then_some(Self { data, group })
    }

    /// A group within this one.
    pub(crate) fn group(&self, name: &str) -> Option<Self> {
        Self::new(self.data, self.find(name)?)
    }

    /// A whole number, or the index of an enum's item.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        let property = self.find(name)?;
        matches!(property.int("type"), Some(INT | BOOLEAN))
            .then(|| property.int("data.val"))
            .flatten()
    }

    /// A switch; older Blenders keep them as numbers.
    pub(crate) fn switch(&self, name: &str) -> Option<bool> {
        let property = self.find(name)?;
        match property.int("type") {
            Some(INT | BOOLEAN) => property.int("data.val").map(|value| value != 0),
            _ => None,
        }
    }

    fn find(&self, name: &str) -> Option<Record<'a>> {
        let mut next = self.group.pointer("data.group.first");
        for _ in 0..MOST {
            let property = self.data.at(next?).next()?;
            if property.bytes("name") == Some(name.as_bytes()) {
                return Some(property);
            }
            next = property.pointer("next");
        }
        None
    }
}
