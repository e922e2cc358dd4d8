//! A priority queue that breaks ties as Java's does, since on them depends which of two equal processes gets a task.
//!
//! Java: `PriorityQueue`.

/// A binary heap of values by load, the least first.
#[derive(Debug)]
pub(super) struct LoadQueue<L, T> {
    heap: Vec<(L, T)>,
}

impl<L: PartialOrd, T> LoadQueue<L, T> {
    pub(super) fn new() -> Self {
        Self { heap: Vec::new() }
    }

    pub(super) fn push(&mut self, load: L, value: T) {
        self.heap.push((load, value));
        let mut place = self.heap.len() - 1;
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[place].0 >= self.heap[parent].0 {
                break;
            }
            self.heap.swap(place, parent);
            place = parent;
        }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let last = self.heap.len().checked_sub(1)?;
        self.heap.swap(0, last);
        let (_, first) = self.heap.pop()?;
        self.sink();
        Some(first)
    }

    /// Moves the first down to where it belongs.
    fn sink(&mut self) {
        let mut place = 0;
        while place < self.heap.len() / 2 {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let lesser =
                if right < self.heap.len() && self.heap[left].0 > self.heap[right].0 { right } else { left };
            if self.heap[place].0 <= self.heap[lesser].0 {
                break;
            }
            self.heap.swap(place, lesser);
            place = lesser;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_broken_as_java_breaks_them() {
        let mut queue = LoadQueue::new();
        for (value, load) in [3, 1, 1, 2, 1, 3].into_iter().enumerate() {
            queue.push(load, value);
        }
        let order: Vec<usize> = std::iter::from_fn(|| queue.pop()).collect();
        // What `PriorityQueue` of Java 17 polls.
        assert_eq!(order, [1, 4, 2, 3, 5, 0]);
    }
}
