//! Tests of single values: of a column, or of the columns of an index row.

use super::sql::{Sql, all, any};
use crate::clock::Micros;
use crate::fhir::date::{Interval, PointTest, Prefix, point_test};
use crate::fhir::search::{Near, QuantityValue, StringMatch, TokenValue};

/// Kilometres of a degree of latitude.
const KM_PER_DEGREE: f64 = 111.195;

/// A token of an index row under `x`.
pub(super) fn token(sql: &mut Sql, x: &str, values: &[TokenValue]) -> String {
    let mut parts = Vec::new();
    // Codes of any system, together.
    let plain: Vec<&str> =
        values.iter().filter(|v| v.system.is_none()).filter_map(|v| v.code.as_deref()).collect();
    match plain.as_slice() {
        [] => {}
        [one] => parts.push(format!("{x}.code = {}", sql.bind(*one))),
        _ => parts.push(format!("{x}.code IN {}", sql.list(plain))),
    }
    for value in values {
        let Some(system) = &value.system else { continue };
        let system = format!("{x}.system = {}", sql.bind(system.as_str()));
        parts.push(match &value.code {
            Some(code) => all(vec![format!("{x}.code = {}", sql.bind(code.as_str())), system]),
            None => all(vec![system, format!("{x}.code <> ''")]),
        });
    }
    any(parts)
}

/// A column that holds codes of one implied system.
pub(super) fn code_column(sql: &mut Sql, column: &str, values: &[TokenValue]) -> String {
    let mut codes = Vec::new();
    for value in values.iter().filter(|v| v.system.as_deref().is_none_or(str::is_empty)) {
        match &value.code {
            Some(code) => codes.push(code.as_str()),
            None => return format!("{column} IS NOT NULL"),
        }
    }
    match codes.as_slice() {
        [] => any(Vec::new()),
        [one] => format!("{column} = {}", sql.bind(*one)),
        _ => format!("{column} IN {}", sql.list(codes)),
    }
}

/// A column that holds points of time.
pub(super) fn point(sql: &mut Sql, column: &str, values: &[(Prefix, Interval)], now: Micros) -> String {
    let tests = values.iter().map(|(prefix, interval)| match point_test(*prefix, *interval, now) {
        PointTest::Within(i) => {
            format!("({column} >= {} AND {column} < {})", sql.bind(i.lo), sql.bind(i.hi))
        }
        PointTest::Outside(i) => {
            format!("({column} < {} OR {column} >= {})", sql.bind(i.lo), sql.bind(i.hi))
        }
        PointTest::From(from) => format!("{column} >= {}", sql.bind(from)),
        PointTest::Before(before) => format!("{column} < {}", sql.bind(before)),
    });
    let tests = tests.collect();
    any(tests)
}

/// An interval of an index row under `x` (the SQL of [`crate::fhir::date::matches`]).
pub(super) fn interval(sql: &mut Sql, x: &str, values: &[(Prefix, Interval)], now: Micros) -> String {
    let tests = values.iter().map(|(prefix, search)| {
        let (lo, hi) = (sql.bind(search.lo), sql.bind(search.hi));
        let contained = format!("{x}.lo_us >= {lo} AND {x}.lo_us < {hi} AND {x}.hi_us <= {hi}");
        match prefix {
            Prefix::Eq => format!("({contained})"),
            Prefix::Ne => format!("({x}.lo_us < {lo} OR {x}.hi_us > {hi})"),
            Prefix::Gt => format!("{x}.hi_us > {hi}"),
            Prefix::Lt => format!("{x}.lo_us < {lo}"),
            Prefix::Ge => format!("({x}.hi_us > {hi} OR ({contained}))"),
            Prefix::Le => format!("({x}.lo_us < {lo} OR ({contained}))"),
            Prefix::Sa => format!("{x}.lo_us >= {hi}"),
            Prefix::Eb => format!("{x}.hi_us <= {lo}"),
            Prefix::Ap => {
                let around = search.approximate(now);
                format!("({x}.lo_us < {} AND {x}.hi_us > {})", sql.bind(around.hi), sql.bind(around.lo))
            }
        }
    });
    let tests = tests.collect();
    any(tests)
}

/// A string of an index row under `x`.
pub(super) fn string(sql: &mut Sql, x: &str, how: StringMatch, values: &[String]) -> String {
    let tests = values.iter().map(|value| match how {
        StringMatch::Starts => starts(sql, &format!("{x}.norm"), value),
        StringMatch::Contains => {
            format!("{x}.norm LIKE {} ESCAPE '\\'", sql.bind(format!("%{}%", like(value))))
        }
        StringMatch::Exact => {
            // The folded form finds the row by its index.
            let norm = sql.bind(crate::fhir::fold::norm(value));
            format!("({x}.norm = {norm} AND {x}.value = {})", sql.bind(value.as_str()))
        }
    });
    let tests = tests.collect();
    any(tests)
}

/// A text that begins with `value`, as a range that an index can serve.
pub(super) fn starts(sql: &mut Sql, column: &str, value: &str) -> String {
    let from = sql.bind(value);
    format!("({column} >= {from} AND {column} < {})", sql.bind(format!("{value}\u{10FFFF}")))
}

/// A column of `Type/id` or a URL that is neither of one of these types nor one of these resources.
pub(super) fn outside(sql: &mut Sql, column: &str, inside: &[String]) -> String {
    let within = inside.iter().map(|within| {
        if within.contains('/') {
            format!("{column} = {}", sql.bind(within.as_str()))
        } else {
            // '0' is the character after '/'.
            let (from, to) = (sql.bind(format!("{within}/")), sql.bind(format!("{within}0")));
            format!("({column} >= {from} AND {column} < {to})")
        }
    });
    let within = within.collect();
    format!("NOT {}", any(within))
}

/// A column of `Type/id` that names a resource of a type.
pub(super) fn of_type(sql: &mut Sql, column: &str, rtype: &str) -> String {
    // '0' is the character after '/'.
    let (from, to) = (sql.bind(format!("{rtype}/")), sql.bind(format!("{rtype}0")));
    format!("({column} >= {from} AND {column} < {to})")
}

fn like(value: &str) -> String {
    value.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// A quantity of an index row under `x`. Precision counts for `eq`, `ne` and `ap` alone.
pub(super) fn quantity(sql: &mut Sql, x: &str, values: &[QuantityValue]) -> String {
    let tests = values.iter().map(|search| {
        let exact = sql.bind(search.value);
        let (lo, hi) = (sql.bind(search.value - search.slack), sql.bind(search.value + search.slack));
        let mut parts = vec![match search.prefix {
            Prefix::Eq | Prefix::Ap => format!("({x}.value >= {lo} AND {x}.value <= {hi})"),
            Prefix::Ne => format!("({x}.value < {lo} OR {x}.value > {hi})"),
            Prefix::Gt | Prefix::Sa => format!("{x}.value > {exact}"),
            Prefix::Lt | Prefix::Eb => format!("{x}.value < {exact}"),
            Prefix::Ge => format!("{x}.value >= {exact}"),
            Prefix::Le => format!("{x}.value <= {exact}"),
        }];
        if let Some(system) = &search.system {
            parts.push(format!("{x}.system = {}", sql.bind(system.as_str())));
        }
        if let Some(unit) = &search.unit {
            let unit = sql.bind(unit.as_str());
            parts.push(format!("({x}.code = {unit} OR {x}.unit = {unit})"));
        }
        all(parts)
    });
    let tests = tests.collect();
    any(tests)
}

/// A position of an index row under `x`: the plane around the place is near enough to the globe for the
/// distances that people travel to an appointment.
pub(super) fn near(sql: &mut Sql, x: &str, values: &[Near]) -> String {
    let mut tests = Vec::new();
    for place in values {
        let high = place.distance_km / KM_PER_DEGREE;
        let shrink = place.latitude.to_radians().cos().abs().max(0.000_1);
        let wide = (high / shrink).min(180.0);
        let latitude = sql.bind(place.latitude);
        let (south, north) = (sql.bind(place.latitude - high), sql.bind(place.latitude + high));
        // The same place seen once around the earth, for circles across the date line.
        for longitude in [place.longitude - 360.0, place.longitude, place.longitude + 360.0] {
            let (west, east) = (longitude - wide, longitude + wide);
            if east < -180.0 || west > 180.0 {
                continue;
            }
            let (middle, west, east) = (sql.bind(longitude), sql.bind(west), sql.bind(east));
            let (square, shrink) = (sql.bind(high * high), sql.bind(shrink * shrink));
            tests.push(format!(
                "({x}.latitude >= {south} AND {x}.latitude <= {north} \
                 AND {x}.longitude >= {west} AND {x}.longitude <= {east} \
                 AND ({x}.latitude - {latitude}) * ({x}.latitude - {latitude}) \
                 + ({x}.longitude - {middle}) * ({x}.longitude - {middle}) * {shrink} <= {square})"
            ));
        }
    }
    any(tests)
}
