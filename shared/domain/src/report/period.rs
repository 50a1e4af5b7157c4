//! Stretches of the shop's days, and how a report divides them.

use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text::Invalid;

/// Days that one report may be about: ten years.
pub const MAX_DAYS: usize = 3_660;
/// Parts that a report may be divided into.
pub const MAX_PARTS: usize = 400;

/// Days of the shop, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    first: Date,
    last: Date,
}

/// A range that ends today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Today,
    /// The last seven days, today among them.
    Week,
    /// The last thirty days.
    Month,
    /// The last ninety days.
    Quarter,
    /// From the day after this one a year ago.
    Year,
}

/// What a range is divided into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReportInterval)]
pub enum Interval {
    Day,
    /// From Monday on, as ISO 8601 has it.
    Week,
    Month,
}

impl Range {
    /// From the first day to the last, [`MAX_DAYS`] at most.
    pub fn new(first: Date, last: Date) -> Result<Range, Invalid> {
        let days = first.until(last).map(|span| span.get_days()).unwrap_or(i32::MAX);
        match usize::try_from(days) {
            Err(_) => Err(Invalid::new("must not be before the first day")),
            Ok(days) if days < MAX_DAYS => Ok(Range { first, last }),
            Ok(_) => Err(Invalid::new(format!("must be less than {MAX_DAYS} days after the first day"))),
        }
    }

    pub fn first(&self) -> Date {
        self.first
    }

    pub fn last(&self) -> Date {
        self.last
    }

    pub fn days(&self) -> usize {
        let days = self.first.until(self.last).map(|span| span.get_days()).unwrap_or_default();
        usize::try_from(days).unwrap_or_default() + 1
    }

    /// The moments at which it begins and at which it is over, in a time zone; at the ends of time, those.
    pub fn moments(&self, zone: &TimeZone) -> (Timestamp, Timestamp) {
        let begins = |day: Date| day.to_zoned(zone.clone()).map(|begins| begins.timestamp());
        let over = self.last.tomorrow().and_then(begins);
        let beyond = if self.first.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
        (begins(self.first).unwrap_or(beyond), over.unwrap_or(Timestamp::MAX))
    }

    pub fn has(&self, day: Date) -> bool {
        (self.first..=self.last).contains(&day)
    }

    /// The range in parts, the first and the last cut off where it begins and ends; refused where they are more than
    /// [`MAX_PARTS`].
    pub fn by(&self, interval: Interval) -> Result<Vec<Range>, Invalid> {
        let mut parts = Vec::new();
        let mut first = self.first;
        loop {
            if parts.len() == MAX_PARTS {
                return Err(Invalid::new(format!("would be more than {MAX_PARTS} parts")));
            }
            let last = interval.last_of(first).min(self.last);
            parts.push(Range { first, last });
            match last.tomorrow() {
                Ok(next) if last < self.last => first = next,
                Ok(_) | Err(_) => return Ok(parts),
            }
        }
    }

    /// The first days of the months that it touches.
    pub fn months(&self) -> impl Iterator<Item = Date> {
        let last = self.last;
        std::iter::successors(Some(self.first.first_of_month()), |month| month.last_of_month().tomorrow().ok())
            .take_while(move |month| *month <= last)
    }
}

impl Interval {
    /// The last day of the one that a day belongs to.
    fn last_of(self, day: Date) -> Date {
        match self {
            Interval::Day => day,
            Interval::Week => {
                let left = Weekday::Sunday.since(day.weekday());
                day.saturating_add(i64::from(left).days())
            }
            Interval::Month => day.last_of_month(),
        }
    }
}

impl Period {
    pub const ALL: [(&str, Period); 5] = [
        ("today", Period::Today),
        ("7_days", Period::Week),
        ("30_days", Period::Month),
        ("90_days", Period::Quarter),
        ("year", Period::Year),
    ];

    pub fn until(self, today: Date) -> Range {
        let back = |days: i64| today.saturating_sub((days - 1).days());
        let first = match self {
            Period::Today => today,
            Period::Week => back(7),
            Period::Month => back(30),
            Period::Quarter => back(90),
            Period::Year => today.saturating_sub(1.year()).saturating_add(1.day()),
        };
        Range { first, last: today }
    }
}

impl FromStr for Period {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let found = Period::ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, period)| period).ok_or_else(|| Invalid::new("must be today, 7_days, 30_days, 90_days or year"))
    }
}

impl FromStr for Interval {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        match name {
            "day" => Ok(Interval::Day),
            "week" => Ok(Interval::Week),
            "month" => Ok(Interval::Month),
            _ => Err(Invalid::new("must be day, week or month")),
        }
    }
}
