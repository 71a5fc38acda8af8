//! Lists inside a packet, in two forms: bytes of the frame, or the caller's slice.

use crate::parse::{Fault, Parsed};

/// Declares a list and its iterator: its documentation and their names, its item, what the parser of one item has to know besides, and the
/// parser.
///
/// A macro and not a generic, so that each list reads by itself in the documentation and needs no public trait.
macro_rules! list {
    ($(#[doc = $doc:literal])+ $name:ident, $iter:ident of $item:ty, with $with:ty, parsed by $parse:path) => {
        $(#[doc = $doc])+
        ///
        /// Either the bytes of a frame, validated once and read where they lie, or the caller's slice. Two lists are
        /// equal if they hold the same items in the same order, whatever their form.
        #[derive(Clone, Copy)]
        pub struct $name<'a>(Form<'a>);

        #[derive(Clone, Copy)]
        enum Form<'a> {
            /// Validated bytes.
            Wire(&'a [u8], $with),
            /// The caller's own.
            List(&'a [$item]),
        }

        impl<'a> $name<'a> {
            /// No items.
            pub const EMPTY: Self = Self(Form::List(&[]));

            /// The items of a slice.
            #[inline]
            pub const fn new(list: &'a [$item]) -> Self {
                Self(Form::List(list))
            }

            /// The items in bytes of which each was parsed.
            #[inline]
            const fn validated(bytes: &'a [u8], with: $with) -> Self {
                Self(Form::Wire(bytes, with))
            }

            /// True if there are none.
            #[inline]
            pub const fn is_empty(self) -> bool {
                match self.0 {
                    Form::Wire(bytes, _) => bytes.is_empty(),
                    Form::List(list) => list.is_empty(),
                }
            }

            /// How many there are; O(n) if they came from the wire.
            #[inline]
            pub fn len(self) -> usize {
                match self.0 {
                    Form::Wire(..) => self.iter().count(),
                    Form::List(list) => list.len(),
                }
            }

            /// Each item, in order.
            #[inline]
            pub const fn iter(self) -> $iter<'a> {
                $iter(self.0)
            }
        }

        /// What is left of the list, in order.
        #[derive(Clone)]
        pub struct $iter<'a>(Form<'a>);

        impl<'a> Iterator for $iter<'a> {
            type Item = $item;

            #[inline]
            fn next(&mut self) -> Option<$item> {
                match &mut self.0 {
                    Form::Wire(bytes, with) => {
                        // The bytes were validated, so what fails here is only their end.
                        let (rest, item) = $parse(*with, bytes).ok()?;
                        *bytes = rest;
                        Some(item)
                    }
                    Form::List(list) => {
                        let (first, rest) = list.split_first()?;
                        *list = rest;
                        Some(*first)
                    }
                }
            }
        }

        impl core::iter::FusedIterator for $iter<'_> {}

        impl core::fmt::Debug for $iter<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_list().entries(self.clone()).finish()
            }
        }

        impl<'a> IntoIterator for $name<'a> {
            type Item = $item;
            type IntoIter = $iter<'a>;

            fn into_iter(self) -> $iter<'a> {
                self.iter()
            }
        }

        impl Default for $name<'_> {
            fn default() -> Self {
                Self::EMPTY
            }
        }

        impl<'a> From<&'a [$item]> for $name<'a> {
            fn from(list: &'a [$item]) -> Self {
                Self::new(list)
            }
        }

        impl<'a, const N: usize> From<&'a [$item; N]> for $name<'a> {
            fn from(list: &'a [$item; N]) -> Self {
                Self::new(list)
            }
        }

        impl PartialEq for $name<'_> {
            fn eq(&self, other: &Self) -> bool {
                self.iter().eq(other.iter())
            }
        }

        impl Eq for $name<'_> {}

        impl core::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_list().entries(self.iter()).finish()
            }
        }
    };
}

pub(crate) use list;

/// Runs a parser over a whole input, item by item, and throws the items away: what passes may be read lazily.
#[inline]
pub(crate) fn check_each<'a, T>(
    mut input: &'a [u8],
    parser: impl Fn(&'a [u8]) -> Parsed<'a, T>,
) -> Result<(), nom::Err<Fault<'a>>> {
    while !input.is_empty() {
        (input, _) = parser(input)?;
    }
    Ok(())
}
