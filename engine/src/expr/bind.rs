//! Between JSON and CEL: the wanted parts of JSON as CEL values that borrow them, and
//! results back as JSON with sorted keys.

use std::collections::HashMap;

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt};
use cel::common::value::Val;
use serde_json::{Map, Number, Value};

use super::paths::Need;
use super::{Named, RESULT_BYTES_MAX};

/// The wanted part of what a name stands for as CEL sees it. Integers are `int`; only those
/// beyond its range are `uint`.
pub(super) fn to_cel<'v>(named: Named<'v>, need: &Need) -> Box<dyn Val + 'v> {
    match named {
        Named::Value(value) => value_to_cel(value, need),
        Named::State(members) if need.whole => {
            let whole = Need { whole: true, ..Need::default() };
            map_to_cel(members.iter().map(|(name, value)| (name, value_to_cel(value, &whole))))
        }
        Named::State(members) => {
            let wanted = need.members.iter().filter_map(|(name, need)| Some((members.entry(name)?, need)));
            map_to_cel(wanted.map(|((name, value), need)| (name, value_to_cel(value, need))))
        }
    }
}

fn map_to_cel<'v>(members: impl Iterator<Item = (&'v str, Box<dyn Val + 'v>)>) -> Box<dyn Val + 'v> {
    let map: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> =
        members.map(|(name, value)| (CelMapKey::from(name), value)).collect();
    Box::new(CelMap::from(map))
}

fn value_to_cel<'v>(value: &'v Value, need: &Need) -> Box<dyn Val + 'v> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(truth) => Box::new(CelBool::from(*truth)),
        Value::Number(number) => number_to_cel(number),
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(elements) => {
            let whole = Need { whole: true, ..Need::default() };
            let elements: Vec<Box<dyn Val + 'v>> =
                elements.iter().map(|element| value_to_cel(element, &whole)).collect();
            Box::new(CelList::from(elements))
        }
        Value::Object(members) => object_to_cel(members, need),
    }
}

fn number_to_cel<'v>(number: &Number) -> Box<dyn Val + 'v> {
    if let Some(integer) = number.as_i64() {
        Box::new(CelInt::from(integer))
    } else if let Some(integer) = number.as_u64() {
        Box::new(CelUInt::from(integer))
    } else {
        Box::new(CelDouble::from(number.as_f64().unwrap_or_default()))
    }
}

fn object_to_cel<'v>(members: &'v Map<String, Value>, need: &Need) -> Box<dyn Val + 'v> {
    // CEL's own map type; nothing iterates over it but `ordered` in `expression`, by sorted keys.
    let mut map: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = HashMap::new();
    if need.whole {
        for (name, value) in members {
            map.insert(CelMapKey::from(name.as_str()), value_to_cel(value, need));
        }
    } else {
        for (name, need) in &need.members {
            if let Some((name, value)) = members.get_key_value(name) {
                map.insert(CelMapKey::from(name.as_str()), value_to_cel(value, need));
            }
        }
    }
    Box::new(CelMap::from(map))
}

/// A result as JSON, unless it is too large: what a loop repeats is one text to the
/// interpreter and many here.
pub(super) fn to_json(value: &dyn Val) -> Result<Value, String> {
    let mut left = RESULT_BYTES_MAX;
    within_json(value, &mut left)
}

fn take(left: &mut usize, bytes: usize) -> Result<(), String> {
    // A value takes about so much beside its texts.
    *left = left
        .checked_sub(bytes + size_of::<Value>())
        .ok_or_else(|| format!("the result is larger than {} MiB", RESULT_BYTES_MAX / (1024 * 1024)))?;
    Ok(())
}

fn within_json(value: &dyn Val, left: &mut usize) -> Result<Value, String> {
    take(left, value.downcast_ref::<CelString>().map_or(0, |text| text.inner().len()))?;
    if let Some(text) = value.downcast_ref::<CelString>() {
        Ok(Value::String(text.inner().to_owned()))
    } else if let Some(truth) = value.downcast_ref::<CelBool>() {
        Ok(Value::Bool(*truth.inner()))
    } else if let Some(integer) = value.downcast_ref::<CelInt>() {
        Ok(Value::from(*integer.inner()))
    } else if let Some(integer) = value.downcast_ref::<CelUInt>() {
        Ok(Value::from(*integer.inner()))
    } else if let Some(double) = value.downcast_ref::<CelDouble>() {
        Number::from_f64(*double.inner())
            .map(Value::Number)
            .ok_or_else(|| "the result is not a finite number".to_owned())
    } else if value.downcast_ref::<CelNull>().is_some() {
        Ok(Value::Null)
    } else if let Some(list) = value.downcast_ref::<CelList>() {
        list.inner()
            .iter()
            .map(|element| within_json(element.as_ref(), left))
            .collect::<Result<_, _>>()
            .map(Value::Array)
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        map_to_json(map, left)
    } else {
        Err(format!("a {} is no JSON value", value.get_type().name()))
    }
}

fn map_to_json(map: &CelMap<'_>, left: &mut usize) -> Result<Value, String> {
    let mut entries: Vec<_> = map.inner().iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    let mut members = Map::new();
    for (key, value) in entries {
        let CelMapKey::String(name) = key else {
            return Err("the keys of a map must be strings".to_owned());
        };
        take(left, name.inner().len())?;
        members.insert(name.inner().to_owned(), within_json(value.as_ref(), left)?);
    }
    Ok(Value::Object(members))
}
