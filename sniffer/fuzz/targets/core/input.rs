//! An input taken apart.

/// Input taken apart into numbers and bytes; at its end there are zeroes.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    /// At most so many bytes.
    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Time goes on by milliseconds, now and then by minutes, and sometimes back: nanoseconds.
    pub fn step(&mut self) -> i64 {
        let ms = match self.byte() {
            step @ 0..=199 => i64::from(step),
            step @ 200..=229 => i64::from(step - 199) * 1000,
            step @ 230..=249 => i64::from(step - 229) * 60_000,
            back => -i64::from(back - 249) * 500,
        };
        ms * 1_000_000
    }
}
