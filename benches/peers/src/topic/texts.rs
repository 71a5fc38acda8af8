//! Many texts in one piece of memory.

/// A list of texts, one behind the other, as a network buffer has them.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    bytes: String,
    ends: Vec<u32>,
}

impl Texts {
    /// Enters a text at the end.
    ///
    /// # Panics
    ///
    /// All together have more than 4 GiB.
    pub fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        let Ok(end) = u32::try_from(self.bytes.len()) else { panic!("a list of texts has at most 4 GiB") };
        self.ends.push(end);
    }

    /// The text of this number, empty if there is none.
    #[inline]
    pub fn at(&self, number: usize) -> &str {
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(number).copied().unwrap_or(start);
        self.bytes.get(start as usize..end as usize).unwrap_or("")
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All, first to last.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|number| self.at(number))
    }
}

impl<T: AsRef<str>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut all = Self::default();
        texts.into_iter().for_each(|text| all.push(text.as_ref()));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_went_in() {
        let texts: Texts = ["a/b", "", "c"].into_iter().collect();
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["a/b", "", "c"]);
        assert_eq!((texts.len(), texts.at(3)), (3, ""));
    }
}
