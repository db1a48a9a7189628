//! First in, first out, in a vector.

use std::ops::{Deref, DerefMut};

/// A queue whose items lie in one slice; when one leaves, those behind it move up.
///
/// A `VecDeque` lies in two, so that each loop over it is there twice: with the loops over batches in
/// flight that is a tenth of the WebAssembly.
#[derive(Debug)]
pub(crate) struct Queue<T>(Vec<T>);

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.0.first()
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.0.first_mut()
    }

    pub(crate) fn push_back(&mut self, item: T) {
        self.0.push(item);
    }

    /// Puts an item before the one at `index`, or behind all.
    pub(crate) fn insert(&mut self, index: usize, item: T) {
        self.0.insert(index.min(self.0.len()), item);
    }

    /// Takes the item at `index` out, if there is one.
    pub(crate) fn remove(&mut self, index: usize) -> Option<T> {
        (index < self.0.len()).then(|| self.0.remove(index))
    }

    /// Sees to it that `more` items can be added, if there is memory for them.
    pub(crate) fn reserve(&mut self, more: usize) -> bool {
        self.0.try_reserve(more).is_ok()
    }
}

impl<T> Deref for Queue<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for Queue<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<'a, T> IntoIterator for &'a Queue<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Queue<T> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[derive(Debug, Clone)]
    enum Step {
        Push(u8),
        Pop,
        Insert(usize, u8),
        Remove(usize),
    }

    fn steps() -> impl Strategy<Value = Step> {
        prop_oneof![
            any::<u8>().prop_map(Step::Push),
            Just(Step::Pop),
            (0usize..9, any::<u8>()).prop_map(|(at, item)| Step::Insert(at, item)),
            (0usize..9).prop_map(Step::Remove),
        ]
    }

    shardbus_seeds::properties! {
        256;

        #[test]
        fn a_queue_behaves_like_a_vec_deque(steps in proptest::collection::vec(steps(), 0..99)) {
            let (mut queue, mut model) = (Queue::default(), VecDeque::new());
            for step in steps {
                match step {
                    Step::Push(item) => {
                        queue.push_back(item);
                        model.push_back(item);
                    }
                    Step::Pop => prop_assert_eq!(queue.remove(0), model.pop_front()),
                    Step::Insert(at, item) => {
                        queue.insert(at, item);
                        model.insert(at.min(model.len()), item);
                    }
                    Step::Remove(at) => prop_assert_eq!(queue.remove(at), model.remove(at)),
                }
                prop_assert!(queue.iter().eq(&model));
                prop_assert_eq!(queue.front(), model.front());
            }
        }
    }
}
