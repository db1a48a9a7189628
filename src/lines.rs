//! Events that come in together.

/// Payloads one after another in one text, each with the same number of other bytes before it.
///
/// If that is one byte, it must be what separates two events in a body. For the npm package, which
/// has them in this form.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Lines<'a> {
    text: &'a [u8],
    lens: &'a [u32],
    gap: usize,
}

impl<'a> Lines<'a> {
    /// Payloads of these lengths, with `gap` bytes before each, and the rest of the text; `None` if
    /// `text` is shorter.
    #[must_use]
    pub fn new(text: &'a [u8], lens: &'a [u32], gap: u32) -> Option<(Self, &'a [u8])> {
        let needed: u64 = lens.iter().map(|&len| u64::from(gap) + u64::from(len)).sum();
        let (text, rest) = text.split_at_checked(usize::try_from(needed).ok()?)?;
        Some((Self { text, lens, gap: gap as usize }, rest))
    }

    /// The length of each.
    pub(crate) const fn lens(&self) -> &'a [u32] {
        self.lens
    }

    /// The first `count` alone.
    pub(crate) fn first(self, count: usize) -> Self {
        Self { lens: &self.lens[..count], ..self }
    }

    /// Takes out the first and, if they stand in the text as they do in a body, all others. Returns
    /// their text.
    #[inline]
    pub(crate) fn split_joined(&mut self) -> &'a [u8] {
        let count = if self.gap == 1 { self.lens.len() } else { 1 };
        let text = self.text;
        self.skip_first(count);
        &text[self.gap..text.len() - self.text.len()]
    }

    /// Drops the first `count`.
    pub(crate) fn skip_first(&mut self, count: usize) {
        let (first, rest) = self.lens.split_at(count);
        let len = first.iter().map(|&len| self.gap + len as usize).sum::<usize>();
        (self.lens, self.text) = (rest, &self.text[len..]);
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (&len, lens) = self.lens.split_first()?;
        let (first, text) = self.text.split_at(self.gap + len as usize);
        (self.lens, self.text) = (lens, text);
        Some(&first[self.gap..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines<'a>(text: &'a [u8], lens: &'a [u32], gap: u32) -> Lines<'a> {
        Lines::new(text, lens, gap).expect("long enough").0
    }

    #[test]
    fn payloads_come_one_by_one() {
        assert!(lines(b"--a--bcd----e]", &[1, 3, 0, 1], 2).eq([&b"a"[..], b"bcd", b"", b"e"]));
        assert!(lines(b"abcde", &[1, 3, 0, 1], 0).eq([&b"a"[..], b"bcd", b"", b"e"]));
        let mut lines = lines(b"\na\nbcd\n\ne", &[1, 3, 0, 1], 1);
        assert!(lines.first(2).eq([&b"a"[..], b"bcd"]));
        lines.skip_first(2);
        assert!(lines.eq([&b""[..], b"e"]));
    }

    #[test]
    fn those_that_stand_as_in_a_body_come_together() {
        let mut joined = lines(b"\na\nbcd\n\ne", &[1, 3, 0, 1], 1);
        assert_eq!(joined.split_joined(), b"a\nbcd\n\ne");
        assert_eq!(joined.next(), None);
        let mut apart = lines(b"  a  bcd", &[1, 3], 2);
        assert_eq!(apart.split_joined(), b"a");
        assert_eq!(apart.split_joined(), b"bcd");
    }

    #[test]
    fn what_comes_after_them_is_told_apart() {
        assert_eq!(Lines::new(b"aaab", &[2, 1], 0).map(|(_, rest)| rest), Some(&b"b"[..]));
        assert_eq!(Lines::new(b"aaab", &[], 3).map(|(_, rest)| rest), Some(&b"aaab"[..]));
    }

    #[test]
    fn a_text_that_is_too_short_is_none() {
        assert!(Lines::new(b"aaab", &[3, 2], 0).is_none());
        assert!(Lines::new(b"aaab", &[3, 1], 1).is_none());
        assert!(Lines::new(b"aaab", &[u32::MAX, u32::MAX], u32::MAX).is_none());
    }
}
