//! Holds answers that tests see against a server's OpenAPI document. Must not know which server it is.

use std::sync::atomic::{AtomicUsize, Ordering};

use boon::{Compiler, Draft, Schemas};
use serde_json::{Value, json};

/// A server's OpenAPI document.
#[derive(Debug)]
pub struct Contract(Value);

/// One call that the document describes.
#[derive(Debug, Clone)]
pub struct Described<'a> {
    /// Its path, parameters in braces.
    pub path: &'a str,
    /// Its method, in capitals.
    pub method: String,
    operation: &'a Value,
}

impl Contract {
    /// The contract of a server: what it answers at `/openapi.json`.
    ///
    /// # Panics
    /// When it is no OpenAPI 3.1 document.
    pub fn new(document: Value) -> Self {
        assert_eq!(document["openapi"], "3.1.0", "{document}");
        assert!(document["paths"].is_object(), "{document}");
        Self(document)
    }

    /// Every call that is described.
    pub fn calls(&self) -> Vec<Described<'_>> {
        let paths = self.0["paths"].as_object().into_iter().flatten();
        paths
            .flat_map(|(path, operations)| {
                let operations = operations.as_object().into_iter().flatten();
                operations.map(move |(method, operation)| Described {
                    path,
                    method: method.to_uppercase(),
                    operation,
                })
            })
            .collect()
    }

    /// Holds an answer against the document. `path` is the called one; what stands behind a `?` does not count.
    ///
    /// # Panics
    /// When no such call is described, or no such answer of it, or the body is not of the described form.
    pub fn hold(&self, method: &str, path: &str, status: u16, kind: Option<&str>, body: &[u8]) {
        let what = format!("{method} {path}: {status}");
        let call = self
            .find(method, path)
            .unwrap_or_else(|| panic!("{what}: no such call is described"));
        let responses = &call.operation["responses"];
        let exact = &responses[status.to_string()];
        let response = if exact.is_null() {
            &responses["default"]
        } else {
            exact
        };
        // The default stands for refusals: a success must be described itself.
        let is_described = response.is_object() && (exact.is_object() || status >= 400);
        assert!(is_described, "{what}: no such answer is described in {responses}");
        let Some(contents) = response["content"].as_object() else {
            assert!(body.is_empty(), "{what}: a body that is not described");
            return;
        };
        let kind = kind.unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if contents.contains_key("*/*") {
            return;
        }
        let content = contents
            .get(kind)
            .unwrap_or_else(|| panic!("{what}: answered {kind:?}, described are {:?}", contents.keys()));
        if kind.ends_with("json") {
            let body: Value =
                serde_json::from_slice(body).unwrap_or_else(|error| panic!("{what}: not JSON: {error}"));
            self.must_fit(&content["schema"], &body, &what);
        }
    }

    /// The described call that a called path belongs to: of several the one with the most literal parts.
    pub fn find(&self, method: &str, path: &str) -> Option<Described<'_>> {
        let path = path.split('?').next().unwrap_or_default();
        let fitting = self
            .calls()
            .into_iter()
            .filter(|call| call.method == method.to_uppercase() && parts_fit(call.path, path));
        fitting.max_by_key(|call| call.path.split('/').filter(|part| !part.starts_with('{')).count())
    }

    fn must_fit(&self, schema: &Value, body: &Value, what: &str) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        // References point into the document, so its components stand beside each schema.
        let whole = json!({ "components": self.0["components"], "allOf": [schema] });
        let place = format!("mem:///answer-{}.json", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler
            .add_resource(&place, whole)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut schemas = Schemas::new();
        let form = compiler
            .compile(&place, &mut schemas)
            .unwrap_or_else(|error| panic!("{what}: the described schema is none: {error}"));
        if let Err(error) = schemas.validate(body, form) {
            panic!("{what}: the answer is not as described: {error:#}\n{body}");
        }
    }
}

/// Whether a path is one of a template's. Its last parameter may stand for a path of several parts.
fn parts_fit(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/').peekable(), path.split('/').peekable());
    while let (Some(want), Some(got)) = (wanted.next(), given.next()) {
        let is_parameter = want.starts_with('{');
        if !is_parameter && want != got {
            return false;
        }
        match (wanted.peek(), given.peek()) {
            (None, None) => return true,
            (None, Some(_)) => return want == "{file}",
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract() -> Contract {
        let job =
            json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": "string" } } });
        let answer = |schema: Value| json!({ "content": { "application/json": { "schema": schema } } });
        let refusal =
            json!({ "content": { "application/problem+json": { "schema": { "type": "object" } } } });
        Contract::new(json!({
            "openapi": "3.1.0",
            "components": { "schemas": { "Job": job } },
            "paths": {
                "/v1/jobs/{id}": { "get": { "responses": {
                    "200": answer(json!({ "$ref": "#/components/schemas/Job" })),
                    "default": refusal,
                } } },
                "/v1/jobs/{id}/files/{file}": { "get": { "responses": { "204": {} } } },
            },
        }))
    }

    fn refuses(status: u16, kind: &str, body: &str) -> bool {
        let body = body.to_owned();
        let kind = kind.to_owned();
        std::panic::catch_unwind(move || {
            contract().hold("GET", "/v1/jobs/j1?wait=1", status, Some(&kind), body.as_bytes());
        })
        .is_err()
    }

    #[test]
    fn only_what_is_described_passes() {
        assert!(!refuses(200, "application/json", r#"{"id":"j1","more":1}"#));
        assert!(refuses(200, "application/json", r#"{"id":1}"#));
        assert!(refuses(200, "application/json", "{}"));
        assert!(refuses(200, "text/plain", "j1"));
        assert!(refuses(201, "application/json", r#"{"id":"j1"}"#));
        assert!(!refuses(404, "application/problem+json", "{}"));
        assert!(refuses(404, "text/plain", "no"));
    }

    #[test]
    fn the_last_parameter_of_a_path_may_have_parts() {
        let contract = contract();
        assert!(contract.find("get", "/v1/jobs/j1/files/a/b.png").is_some());
        assert!(contract.find("get", "/v1/jobs/j1/more").is_none());
        assert!(contract.find("post", "/v1/jobs/j1").is_none());
    }
}
