//! Routes and the OpenAPI document that describes them, built together: what is served is described, and what
//! is described is served.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::header;
use axum::routing::{self, MethodRouter};
use farmhand_protocol::Problem;
use serde_json::{Map, Value, json};
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, ToSchema};

/// A router that grows together with its document.
pub struct Api<S = ()> {
    router: Router<S>,
    /// By path and method.
    calls: BTreeMap<String, BTreeMap<&'static str, Value>>,
    schemas: BTreeMap<String, Value>,
}

/// How a call is described: what it takes and what it answers.
#[derive(Debug, Clone)]
pub struct Call {
    operation: Map<String, Value>,
    parameters: Vec<Value>,
    responses: Map<String, Value>,
    schemas: BTreeMap<String, Value>,
}

impl<S: Clone + Send + Sync + 'static> Default for Api<S> {
    fn default() -> Self {
        Self {
            router: Router::new(),
            calls: BTreeMap::new(),
            schemas: BTreeMap::new(),
        }
    }
}

macro_rules! methods {
    ($($method:ident),*) => { $(
        /// Serves a call with this method.
        #[must_use]
        pub fn $method<H: Handler<T, S>, T: 'static>(self, path: &str, handler: H, call: Call) -> Self {
            self.serve(stringify!($method), path, routing::$method(handler), call)
        }
    )* };
}

impl<S: Clone + Send + Sync + 'static> Api<S> {
    methods!(get, head, post, put, patch, delete);

    fn serve(mut self, method: &'static str, path: &str, handler: MethodRouter<S>, call: Call) -> Self {
        self.schemas.extend(call.schemas.clone());
        let operations = self.calls.entry(path.replace("{*", "{")).or_default();
        operations.insert(method, call.operation(path));
        self.router = self.router.route(path, handler);
        self
    }

    /// Changes the router of the calls so far: layers, what answers unknown calls.
    #[must_use]
    pub fn around(mut self, change: impl FnOnce(Router<S>) -> Router<S>) -> Self {
        self.router = change(self.router);
        self
    }

    /// Takes the calls of another one in, behind their own layers.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.calls.extend(other.calls);
        self.schemas.extend(other.schemas);
        self
    }

    /// The router, which also serves the document at `/openapi.json`.
    pub fn finish(self, title: &str, version: &str) -> Router<S> {
        let own = call("This document.").answer(200, "application/json", &json!({ "type": "object" }));
        // Described before it is served, because it describes itself.
        let document: Arc<std::sync::OnceLock<String>> = Arc::default();
        let served = Arc::clone(&document);
        let show = async move || {
            let text = served.get().cloned().unwrap_or_default();
            ([(header::CONTENT_TYPE, "application/json")], text)
        };
        let mut api = self.get("/openapi.json", show, own);
        let (name, schema) = schema::<Problem>(&mut api.schemas);
        api.schemas.insert(name, schema);
        let text = json!({
            "openapi": "3.1.0",
            "info": { "title": title, "version": version },
            "security": [{ "token": [] }],
            "paths": api.calls,
            "components": {
                "schemas": api.schemas,
                "securitySchemes": { "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The farm's token. Without one the program serves its own machine only.",
                } },
            },
        });
        document.get_or_init(|| text.to_string());
        api.router
    }
}

/// A call, in a sentence.
pub fn call(summary: &str) -> Call {
    let mut operation = Map::new();
    operation.insert("summary".to_owned(), summary.into());
    Call {
        operation,
        parameters: Vec::new(),
        responses: Map::new(),
        schemas: BTreeMap::new(),
    }
}

impl Call {
    /// Takes these parameters behind the `?`.
    #[must_use]
    pub fn query<T: IntoParams>(mut self) -> Self {
        let parameters = T::into_params(|| Some(ParameterIn::Query));
        let written = parameters.iter().map(|parameter| {
            serde_json::to_value(parameter).expect("a parameter is plain data with string keys")
        });
        self.parameters.extend(written);
        self
    }

    /// A part of the path is this.
    #[must_use]
    pub fn path<T: ToSchema>(mut self, name: &str) -> Self {
        let schema = self.refer::<T>();
        let parameter = json!({ "name": name, "in": "path", "required": true, "schema": schema });
        self.parameters.push(parameter);
        self
    }

    /// Takes this as its body.
    #[must_use]
    pub fn body<T: ToSchema>(self) -> Self {
        self.json_body::<T>(true)
    }

    /// Takes this as its body, or none.
    #[must_use]
    pub fn optional_body<T: ToSchema>(self) -> Self {
        self.json_body::<T>(false)
    }

    fn json_body<T: ToSchema>(mut self, required: bool) -> Self {
        let schema = self.refer::<T>();
        let body = json!({ "required": required, "content": { "application/json": { "schema": schema } } });
        self.operation.insert("requestBody".to_owned(), body);
        self
    }

    /// Takes JSON of this form as its body.
    #[must_use]
    pub fn plain_body(mut self, schema: &Value) -> Self {
        let body = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        self.operation.insert("requestBody".to_owned(), body);
        self
    }

    /// Takes bytes as its body.
    #[must_use]
    pub fn bytes_body(mut self) -> Self {
        let body = json!({ "required": true, "content": { "application/octet-stream": {} } });
        self.operation.insert("requestBody".to_owned(), body);
        self
    }

    /// Creates something, once for each key.
    #[must_use]
    pub fn once_a_key(mut self) -> Self {
        self.parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Called again with the same key and body it creates nothing and answers as before; \
                            with another body it is refused.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 200 },
        }));
        self
    }

    /// Answers this.
    #[must_use]
    pub fn json<T: ToSchema>(mut self, status: u16) -> Self {
        let schema = self.refer::<T>();
        self.answer(status, "application/json", &schema)
    }

    /// Answers a list of these.
    #[must_use]
    pub fn list<T: ToSchema>(mut self) -> Self {
        let schema = self.refer::<T>();
        self.answer(
            200,
            "application/json",
            &json!({ "type": "array", "items": schema }),
        )
    }

    /// Answers a page of these; `next` is the `cursor` of the following one, absent on the last.
    #[must_use]
    pub fn page<T: ToSchema>(mut self) -> Self {
        let schema = self.refer::<T>();
        let page = json!({
            "type": "object",
            "required": ["items"],
            "properties": {
                "items": { "type": "array", "items": schema },
                "next": { "type": "string", "description": "Pass it as `cursor`; absent on the last page." },
            },
        });
        self.answer(200, "application/json", &page)
    }

    /// Answers server-sent events without end, each with this as its data.
    #[must_use]
    pub fn events<T: ToSchema>(mut self) -> Self {
        let schema = self.refer::<T>();
        let content = json!({ "text/event-stream": { "itemSchema": schema } });
        let said = "Events without end; the `id` of each is a place to resume from with `after`.";
        self.responses.insert(
            "200".to_owned(),
            json!({ "description": said, "content": content }),
        );
        self
    }

    /// Answers plain text.
    #[must_use]
    pub fn text(self, status: u16) -> Self {
        self.answer(status, "text/plain", &json!({ "type": "string" }))
    }

    /// Answers bytes of whatever kind the answer names.
    #[must_use]
    pub fn bytes(mut self, status: u16) -> Self {
        let response = json!({ "description": reason(status), "content": { "*/*": {} } });
        self.responses.insert(status.to_string(), response);
        self
    }

    /// Answers nothing but the status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.responses
            .insert(status.to_string(), json!({ "description": reason(status) }));
        self
    }

    /// Answers something of this form.
    #[must_use]
    pub fn answer(mut self, status: u16, kind: &str, schema: &Value) -> Self {
        let response = json!({ "description": reason(status), "content": { kind: { "schema": schema } } });
        self.responses.insert(status.to_string(), response);
        self
    }

    fn refer<T: ToSchema>(&mut self) -> Value {
        let (name, schema) = schema::<T>(&mut self.schemas);
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        self.schemas.insert(name, schema);
        reference
    }

    fn operation(mut self, path: &str) -> Value {
        let named: Vec<Value> = self
            .parameters
            .iter()
            .map(|known| known["name"].clone())
            .collect();
        let parts = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        for name in parts.map(|name| name.trim_start_matches('*')) {
            if !named.contains(&name.into()) {
                let schema = json!({ "type": "string" });
                let parameter = json!({ "name": name, "in": "path", "required": true, "schema": schema });
                self.parameters.push(parameter);
            }
        }
        let problem = json!({ "$ref": "#/components/schemas/Problem" });
        let (kind, schema) = if path.starts_with("/v1/") {
            ("application/problem+json", problem)
        } else {
            ("text/plain", json!({ "type": "string" }))
        };
        // One entry for every refusal: the status and the problem's type tell them apart.
        let refusal = json!({ "description": "A refusal.", "content": { kind: { "schema": schema } } });
        self.responses.insert("default".to_owned(), refusal);
        self.operation
            .insert("parameters".to_owned(), self.parameters.into());
        self.operation
            .insert("responses".to_owned(), self.responses.into());
        self.operation.into()
    }
}

/// A type's name and schema; those that it refers to are added to `all`.
fn schema<T: ToSchema>(all: &mut BTreeMap<String, Value>) -> (String, Value) {
    let mut found = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut found);
    let written = found.into_iter().map(|(name, schema)| {
        let schema = serde_json::to_value(schema).expect("a schema is plain data with string keys");
        (name, schema)
    });
    all.extend(written);
    let name = T::name().into_owned();
    let own = all[&name].clone();
    (name, own)
}

fn reason(status: u16) -> &'static str {
    axum::http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("An answer")
}
