//! Events are found by their terms as if each had a row of its own.

use crate::support::{TestApp, both_engines};
use slotwright::audit::posting::{Place, SPAN};
use slotwright::store::audit::postings;
use slotwright::store::{Intent, Store, StoreError};
use std::collections::HashSet;

const TERM: &str = "s:read";

/// Numbers that look random, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % end
    }
}

/// Batches as the sequencer makes them: their times overlap, some stand still, and some events come from long ago.
fn batches(numbers: &mut Numbers) -> Vec<Vec<Place>> {
    let (mut seq, mut now) = (0, 10 * SPAN);
    let mut batch = |size: i64| {
        let event = |_| {
            seq += 1 + numbers.below(3);
            now += numbers.below(2 * SPAN / size);
            let ago = if numbers.below(40) == 0 { 5 * SPAN } else { numbers.below(SPAN / 4) };
            (now - ago, seq)
        };
        (0..size).map(event).collect()
    };
    [1, 700, 3, 40, 900, 2, 1, 300].into_iter().map(&mut batch).collect()
}

async fn write(store: &Store, places: Vec<Place>) {
    let written = store.write(Intent::Upsert, move |tx| {
        let known = places.iter().flat_map(|place| [(TERM, *place), ("s:readable", *place)]).collect();
        Box::pin(async move { postings::write(tx, known).await.map(|()| Ok::<_, StoreError>(()))? })
    });
    written.await.unwrap();
}

both_engines! {
    async fn a_list_is_walked_from_both_ends(app: TestApp) {
        let (store, mut numbers) = (&app.library().store, Numbers(7));
        let mut all: Vec<Place> = Vec::new();
        for batch in batches(&mut numbers) {
            all.extend(&batch);
            write(store, batch).await;
        }
        all.sort_unstable();
        let rows = app.database().number("SELECT COUNT(*) FROM audit_term WHERE term = 's:read'").await;
        assert!((rows as usize) < all.len() / 4, "{rows} rows for {}", all.len());
        let mut tx = store.reader().await.unwrap();
        for _ in 0..300 {
            let some = |numbers: &mut Numbers| all[numbers.below(all.len() as i64) as usize];
            let (one, other) = (some(&mut numbers), some(&mut numbers));
            let limit = 1 + numbers.below(400) as usize;
            let newest: Vec<Place> =
                all.iter().rev().filter(|place| **place < one && place.0 >= other.0).take(limit).copied().collect();
            assert_eq!(postings::newest(&mut tx, TERM, other.0, one, limit).await.unwrap(), newest);
            let oldest: Vec<Place> =
                all.iter().filter(|place| **place > other && place.0 < one.0).take(limit).copied().collect();
            assert_eq!(postings::oldest(&mut tx, TERM, other, one.0, limit).await.unwrap(), oldest);
            let within = all.iter().filter(|place| (other.0..one.0).contains(&place.0) && place.1 < 900);
            let mut within: Vec<i64> = within.map(|place| place.1).collect();
            within.sort_unstable();
            assert_eq!(postings::places_of(&mut tx, TERM, (other.0, one.0), 900).await.unwrap(), within);
        }
        let ends = postings::newest(&mut tx, TERM, i64::MIN, (i64::MAX, i64::MAX), all.len() + 1).await.unwrap();
        assert_eq!(ends, all.iter().rev().copied().collect::<Vec<_>>());
    }

    async fn the_longest_row_is_taken(app: TestApp) {
        let store = &app.library().store;
        // Each as far from the one before as a moment allows, in time and in the log, below a term that can't be packed.
        let places: Vec<Place> =
            (0..128i64).map(|n| (n * 1_570, if n % 2 == 0 { n } else { i64::from(u32::MAX) + n })).collect();
        let term: String = (0..210u64).map(|n| char::from(b'0' + (n * n * 7_919 % 75) as u8)).collect();
        let known: Vec<(String, Place)> = places.iter().map(|place| (term.clone(), *place)).collect();
        let written = store.write(Intent::Upsert, move |tx| {
            let known = known.clone();
            Box::pin(async move {
                let known = known.iter().map(|(term, place)| (term.as_str(), *place)).collect();
                postings::write(tx, known).await.map(|()| Ok::<_, StoreError>(()))?
            })
        });
        written.await.unwrap();
        assert_eq!(app.database().number("SELECT COUNT(*) FROM audit_term WHERE term LIKE '0%'").await, 1);
        let found = postings::having(&mut store.reader().await.unwrap(), &term, &places).await.unwrap();
        assert_eq!(found.len(), places.len());
    }

    async fn an_event_is_known_and_taken_out_by_itself(app: TestApp) {
        let (store, mut numbers) = (&app.library().store, Numbers(11));
        let mut all: Vec<Place> = Vec::new();
        for batch in batches(&mut numbers) {
            all.extend(&batch);
            write(store, batch).await;
        }
        let (gone, kept): (Vec<Place>, Vec<Place>) = all.iter().partition(|_| numbers.below(3) == 0);
        let strangers: Vec<Place> = kept.iter().map(|place| (place.0 + 1, place.1)).collect();
        let taken = gone.clone();
        let removed = store.write(Intent::Upsert, move |tx| {
            let known = taken.iter().map(|place| (TERM, *place)).collect();
            Box::pin(async move { postings::remove(tx, known).await.map(|()| Ok::<_, StoreError>(()))? })
        });
        removed.await.unwrap();
        let mut tx = store.reader().await.unwrap();
        let asked: Vec<Place> = [all.as_slice(), &strangers].concat();
        let found = postings::having(&mut tx, TERM, &asked).await.unwrap();
        assert_eq!(found, kept.iter().copied().collect::<HashSet<_>>());
        let found = postings::having(&mut tx, "s:readable", &asked).await.unwrap();
        assert_eq!(found, all.iter().copied().collect::<HashSet<_>>());
        assert!(postings::having(&mut tx, "s:rea", &asked).await.unwrap().is_empty());
        let mut left: Vec<i64> = kept.iter().map(|place| place.1).collect();
        left.sort_unstable();
        assert_eq!(postings::places_of(&mut tx, TERM, (i64::MIN, i64::MAX), i64::MAX).await.unwrap(), left);
    }
}
