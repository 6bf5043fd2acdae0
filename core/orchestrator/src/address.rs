//! The address of an agent.

/// A text that is no agent's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an agent's address such as http://192.168.1.20:3000 or https://192.168.1.20:3000")]
pub struct AddressError(String);

/// Reads the base address of an agent into its one form: `http://host:3000` or `https://host:3000`, without a trailing slash. A
/// missing `http://` is added.
///
/// # Errors
/// When the text is no such address.
pub fn agent_address(text: &str) -> Result<String, AddressError> {
    let error = || AddressError(text.chars().take(120).collect());
    let text = text.trim();
    let full = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = reqwest::Url::parse(&full).map_err(|_| error())?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some_and(|host| !host.is_empty())
        && url.username().is_empty()
        && url.password().is_none();
    if !plain || url.query().is_some() || url.fragment().is_some() {
        return Err(error());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_agent_has_one_address_however_it_is_typed() {
        for text in ["host:3001", "http://host:3001/", " http://HOST:3001 "] {
            assert_eq!(agent_address(text).unwrap(), "http://host:3001");
        }
        assert_eq!(agent_address("https://host:3001/").unwrap(), "https://host:3001");
        for text in [
            "",
            "https://",
            "http://user:secret@host",
            "http://host/?x",
            "file:///etc",
        ] {
            assert!(agent_address(text).is_err(), "{text:?}");
        }
    }
}
