//! The harness itself.

use super::ports::free_port;
use super::{Database, Engine};
use std::collections::HashSet;

#[test]
fn a_port_is_given_once() {
    let some = || (0..200).map(|_| free_port()).collect::<Vec<u16>>();
    let given: Vec<u16> = std::thread::scope(|scope| {
        let givers: Vec<_> = (0..4).map(|_| scope.spawn(some)).collect();
        givers.into_iter().flat_map(|giver| giver.join().expect("ports")).collect()
    });
    assert_eq!(given.iter().collect::<HashSet<_>>().len(), 800);
}

both_engines! {
    async fn databases_are_fresh(engine: Engine) {
        for _ in 0..2 {
            let database = Database::create(engine).await;
            if engine == Engine::Sqlite {
                std::fs::File::create(database.url.trim_start_matches("sqlite:")).expect("an empty database");
            }
            database.execute("CREATE TABLE mine (it BIGINT)").await;
            assert_eq!(database.execute("INSERT INTO mine VALUES (7)").await, 1);
            assert_eq!(database.number("SELECT it FROM mine").await, 7);
        }
    }
}
