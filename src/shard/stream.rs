//! Bytes in pages, first in, first out.

use crate::memory;
use crate::queue::Queue;
use bytes::Bytes;

/// A first-in-first-out stream of bytes over pages of one size, so that a long stream grows without
/// copying and shrinks without keeping pages. Appended bytes continue from one page to the next:
/// only the last page has free room.
#[derive(Default)]
pub(super) struct Stream {
    page_size: usize,
    /// Pages for the next bytes.
    spare: Vec<Vec<u8>>,
    /// The pages that hold something, oldest first; the last is being filled, and may be empty.
    pages: Queue<Vec<u8>>,
    /// The offset of the bytes in the first page.
    start: usize,
}

impl Stream {
    /// A stream over pages of `page_size` bytes. Items that are appended one by one, and whose size
    /// divides it, never go on from one page to the next.
    pub(super) fn new(page_size: usize) -> Self {
        Self { page_size, ..Self::default() }
    }

    /// The number of bytes that fit into the last page.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.pages.last().map_or(0, |last| self.page_size - last.len())
    }

    /// Makes pages for so many bytes. Returns false, and keeps no spare page, if there is no memory
    /// for them.
    pub(super) fn reserve(&mut self, bytes: usize) -> bool {
        self.close_up();
        let pages = bytes.saturating_sub(self.room()).div_ceil(self.page_size);
        let is_reserved = self.pages.reserve(pages) && self.add_spare(pages);
        if !is_reserved {
            self.drop_spare();
        }
        is_reserved
    }

    fn add_spare(&mut self, pages: usize) -> bool {
        while self.spare.len() < pages {
            let page = memory::with_capacity(self.page_size);
            let Some(page) = page.filter(|_| self.spare.try_reserve(1).is_ok()) else {
                return false;
            };
            self.spare.push(page);
        }
        true
    }

    /// Returns reserved bytes that were not used.
    pub(super) fn drop_spare(&mut self) {
        self.spare = Vec::new();
    }

    /// Moves bytes that lie in the last page alone to its beginning, unless they are more than those
    /// that were there: so no byte moves twice.
    fn close_up(&mut self) {
        if let [only] = &mut *self.pages
            && self.start >= only.len() - self.start
        {
            only.drain(..self.start);
            self.start = 0;
        }
    }

    /// Appends bytes.
    #[inline]
    pub(super) fn append(&mut self, bytes: &[u8]) {
        match self.pages.last_mut() {
            Some(last) if self.page_size - last.len() >= bytes.len() => {
                last.extend_from_slice(bytes);
            }
            _ => self.append_over_pages(bytes),
        }
    }

    #[cold]
    fn append_over_pages(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.room();
            if let Some(last) = self.pages.last_mut().filter(|_| room > 0) {
                let (now, later) = bytes.split_at(bytes.len().min(room));
                last.extend_from_slice(now);
                bytes = later;
            } else {
                let page = self.spare.pop();
                self.pages.push_back(page.unwrap_or_else(|| Vec::with_capacity(self.page_size)));
            }
        }
    }

    /// The first bytes, up to the end of their page.
    #[inline]
    pub(super) fn first(&self) -> &[u8] {
        self.runs().next().unwrap_or_default()
    }

    /// All bytes, page by page.
    #[inline]
    pub(super) fn runs(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = self.start;
        self.pages
            .iter()
            .map(move |page| page.get(std::mem::take(&mut start)..).unwrap_or_default())
    }

    /// Drops the first `len` bytes, of which there must be so many.
    pub(super) fn skip(&mut self, len: usize) {
        self.take(len, None);
    }

    /// Moves the first `len` bytes, of which there must be so many, to the end of `taken`.
    pub(super) fn take_into(&mut self, taken: &mut Vec<u8>, len: usize) {
        self.take(len, Some(taken));
    }

    fn take(&mut self, mut rest: usize, mut taken: Option<&mut Vec<u8>>) {
        while rest > 0 {
            let first = self.first();
            let run = first.get(..rest).unwrap_or(first);
            if run.is_empty() {
                return;
            }
            if let Some(taken) = &mut taken {
                taken.extend_from_slice(run);
            }
            let len = run.len();
            self.drop_from_first(len);
            rest -= len;
        }
    }

    fn drop_from_first(&mut self, len: usize) {
        self.start += len;
        if self.first().is_empty() {
            self.start = 0;
            // The page that is being filled stays.
            match &mut *self.pages {
                [only] => only.clear(),
                _ => drop(self.pages.remove(0)),
            }
        }
    }

    /// Takes out the first `len` bytes, which lie in one page. They are a copy, unless they are all
    /// there is and most of the page.
    pub(super) fn take_run(&mut self, len: usize) -> Bytes {
        let first = self.first();
        if first.len() == len && len > self.page_size / 2 {
            let start = std::mem::take(&mut self.start);
            let page = self.pages.remove(0).unwrap_or_default();
            return Bytes::from_owner(page).slice(start..);
        }
        let run = Bytes::copy_from_slice(&first[..len]);
        self.drop_from_first(len);
        run
    }
}
