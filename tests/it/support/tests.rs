//! The harness itself.

use super::{Database, Engine};

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
