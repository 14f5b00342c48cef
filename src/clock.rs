//! The only place that reads the time or randomness.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Microseconds since the Unix epoch, UTC: the one unit of time in the database.
pub type Micros = i64;

/// Tells the time, mints ids and draws random bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Tests set the time; ids and randomness stay real.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        Self { source: Source::System }
    }

    /// A clock that stands at `micros` until [`Clock::advance`] moves it.
    pub fn fixed(micros: Micros) -> Self {
        Self { source: Source::Fixed(Arc::new(AtomicI64::new(micros))) }
    }

    /// Moves a fixed clock forward; the system clock ignores it.
    pub fn advance(&self, by: Duration) {
        if let Source::Fixed(at) = &self.source {
            at.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }

    /// Now, in microseconds since the Unix epoch.
    pub fn now(&self) -> Micros {
        match &self.source {
            #[allow(clippy::disallowed_methods)]
            Source::System => jiff::Timestamp::now().as_microsecond(),
            Source::Fixed(at) => at.load(Ordering::SeqCst),
        }
    }

    /// A new UUIDv7, lower case with hyphens: valid as a FHIR `id`.
    #[allow(clippy::disallowed_methods)]
    pub fn new_id(&self) -> String {
        uuid::Uuid::now_v7().to_string()
    }

    /// `N` bytes from the operating system's random source.
    ///
    /// # Errors
    /// When the operating system has none to give.
    #[allow(clippy::disallowed_methods)]
    pub fn random_bytes<const N: usize>(&self) -> Result<[u8; N], getrandom::Error> {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes)?;
        Ok(bytes)
    }

    /// A monotonic instant, for measuring durations only.
    #[allow(clippy::disallowed_methods)]
    pub fn instant(&self) -> std::time::Instant {
        std::time::Instant::now()
    }
}

/// `micros` as a FHIR `instant` in UTC with milliseconds.
pub fn instant_text(micros: Micros) -> String {
    let at = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
    format!("{at:.3}")
}
