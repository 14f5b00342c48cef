//! Generation of the sample clinic.

use jiff::civil::Date;
use serde_json::Value;

use super::data::Data;
use super::{Error, calendar, people, record, staff};

/// The zone of the sample clinic, for those who ask what "today" is there.
///
/// # Errors
/// When the embedded data is broken.
pub fn zone() -> Result<jiff::tz::TimeZone, Error> {
    jiff::tz::TimeZone::get(&Data::embedded()?.clinic.zone).map_err(Error::calendar)
}

/// Every resource of the sample clinic whose first day is `today`, each after what it refers to.
/// The same day gives the same clinic.
///
/// # Errors
/// When the embedded data is broken.
pub fn clinic(today: Date) -> Result<Vec<Value>, Error> {
    let data = Data::embedded()?;
    let mut all = staff::resources(&data)?;
    all.extend(people::resources(&data));
    all.extend(record::resources(&data));
    all.extend(calendar::resources(&data, today)?);
    Ok(all)
}
