//! Broker keys: listeners: the addresses of a node, their names and security protocols.

use super::endpoint::{EndPoint, SecurityProtocol, SecurityProtocolMap, parse_endpoints};
use crate::Importance::{High, Low, Medium};
use crate::{ConfigError, ConfigMap, Key, KeyType, Validator, Values};

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::nullable(
        "advertised.listeners",
        KeyType::List,
        High,
        "The addresses given to clients and other nodes, if they differ from `listeners`: \
         NAME://host:port, several between commas.",
    )
    .valid(Validator::List { of: &[], empty: false, null: true }),
    Key::required(
        "controller.listener.names",
        KeyType::List,
        High,
        "The names of the listeners that the controller uses; brokers talk to controllers \
         through the first.",
    )
    .valid(Validator::List { of: &[], empty: false, null: false }),
    Key::nullable(
        "early.start.listeners",
        KeyType::List,
        High,
        "The listeners that may open before the authorizer is ready; unset, the \
         controller's.",
    )
    .valid(Validator::List { of: &[], empty: true, null: true }),
    Key::nullable(
        "inter.broker.listener.name",
        KeyType::String,
        Medium,
        "The listener that brokers use among themselves; unset, the one named like \
         `security.inter.broker.protocol`.",
    ),
    Key::string(
        "listener.security.protocol.map",
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        Low,
        "Which security protocol each listener name has: NAME:PROTOCOL, several between \
         commas.",
    )
    .per_broker(),
    Key::list(
        "listeners",
        "PLAINTEXT://:9092",
        High,
        "The addresses to listen on: NAME://host:port, several between commas. An empty host \
         is the default interface, 0.0.0.0 is all.",
    )
    .valid(Validator::List { of: &[], empty: false, null: false })
    .per_broker(),
    Key::string(
        "security.inter.broker.protocol",
        "PLAINTEXT",
        Medium,
        "The security protocol between brokers, where `inter.broker.listener.name` is not \
         set.",
    )
    .one_of(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
];

/// The listeners of a node: where it listens, what it tells others, and by which listener nodes talk to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// All addresses to listen on: `listeners`.
    pub listeners: Vec<EndPoint>,
    /// The addresses given to others: `advertised.listeners`, or `listeners`.
    pub advertised: Vec<EndPoint>,
    /// `controller.listener.names`, in their order.
    pub controller_names: Vec<String>,
    /// The listener between brokers.
    pub inter_broker_name: String,
    /// The protocol between brokers.
    pub inter_broker_protocol: SecurityProtocol,
    /// The protocol of each listener name.
    pub protocols: SecurityProtocolMap,
    /// The listeners that open before the authorizer is ready.
    pub early_start: Vec<String>,
}

impl Listeners {
    pub(super) fn read(values: &Values, originals: &ConfigMap) -> Result<Self, ConfigError> {
        let controller_names = values.list("controller.listener.names");
        let protocols = read_protocols(values, originals, &controller_names)?;
        let listeners = parse_endpoints(&values.list("listeners"), &protocols, true)?;
        let advertised = match values.list("advertised.listeners") {
            list if list.is_empty() => listeners.clone(),
            list => parse_endpoints(&list, &protocols, false)?,
        };
        let (inter_broker_name, inter_broker_protocol) = read_inter_broker(values, originals, &protocols)?;
        let early_start = read_early_start(values, &listeners, &controller_names)?;
        Ok(Self {
            listeners,
            advertised,
            controller_names,
            inter_broker_name,
            inter_broker_protocol,
            protocols,
            early_start,
        })
    }

    /// Whether the listener `name` is the controller's.
    pub fn is_controller(&self, name: &str) -> bool {
        self.controller_names.iter().any(|controller| controller == name)
    }

    /// The listeners of the broker. Kafka: `dataPlaneListeners`.
    pub fn broker(&self) -> Vec<&EndPoint> {
        self.listeners.iter().filter(|endpoint| !self.is_controller(&endpoint.listener)).collect()
    }

    /// The listeners of the controller. Kafka: `controllerListeners`.
    pub fn controller(&self) -> Vec<&EndPoint> {
        self.listeners.iter().filter(|endpoint| self.is_controller(&endpoint.listener)).collect()
    }

    /// What the broker tells others of its addresses. Kafka: `effectiveAdvertisedBrokerListeners`.
    pub fn advertised_broker(&self) -> Vec<&EndPoint> {
        self.advertised.iter().filter(|endpoint| !self.is_controller(&endpoint.listener)).collect()
    }

    /// What the controller tells others of its addresses. Kafka: `effectiveAdvertisedControllerListeners`.
    pub fn advertised_controller(&self) -> Vec<&EndPoint> {
        let find = |name: &String| {
            let has_name = |endpoint: &&EndPoint| endpoint.listener == name.to_uppercase();
            let controllers =
                self.advertised.iter().filter(|endpoint| self.is_controller(&endpoint.listener));
            controllers.into_iter().find(has_name).or_else(|| self.controller().into_iter().find(has_name))
        };
        self.controller_names.iter().filter_map(find).collect()
    }
}

/// Kafka: `effectiveListenerSecurityProtocolMap`.
fn read_protocols(
    values: &Values,
    originals: &ConfigMap,
    controller_names: &[String],
) -> Result<SecurityProtocolMap, ConfigError> {
    const NAME: &str = "listener.security.protocol.map";
    let mut map = SecurityProtocolMap::new();
    for (listener, protocol) in parse_map(NAME, &values.text(NAME))? {
        let unknown =
            || ConfigError::Invalid(format!("Invalid security protocol `{protocol}` defined in {NAME}"));
        map.insert(listener.to_uppercase(), SecurityProtocol::from_name(&protocol).ok_or_else(unknown)?);
    }
    let is_protected = |name: &str| matches!(name, "SSL" | "SASL_SSL" | "SASL_PLAINTEXT");
    let listeners = values.list("listeners");
    let mut names = listeners.iter().filter_map(|text| text.split_once("://")).map(|(name, _)| name);
    let only_plaintext = !controller_names.iter().any(|name| is_protected(name)) && !names.any(is_protected);
    if !originals.contains_key(NAME) && only_plaintext {
        let unmapped = controller_names.iter().filter(|name| *name != "PLAINTEXT");
        map.extend(unmapped.map(|name| (name.clone(), SecurityProtocol::Plaintext)));
    }
    Ok(map)
}

/// Kafka: `getInterBrokerListenerNameAndSecurityProtocol`.
fn read_inter_broker(
    values: &Values,
    originals: &ConfigMap,
    protocols: &SecurityProtocolMap,
) -> Result<(String, SecurityProtocol), ConfigError> {
    let by_protocol = values.text("security.inter.broker.protocol");
    match values.string("inter.broker.listener.name") {
        Some(_) if originals.contains_key("security.inter.broker.protocol") => Err(ConfigError::invalid(
            "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.",
        )),
        Some(name) => match protocols.get(&name.to_uppercase()) {
            Some(protocol) => Ok((name.to_uppercase(), *protocol)),
            None => Err(ConfigError::Invalid(format!(
                "Listener with name {} defined in inter.broker.listener.name not found in \
                 listener.security.protocol.map.",
                name.to_uppercase()
            ))),
        },
        None => {
            let protocol =
                SecurityProtocol::from_name(&by_protocol).expect("the validator allows only known protocols");
            Ok((protocol.name().to_owned(), protocol))
        }
    }
}

/// Kafka: `earlyStartListeners`.
fn read_early_start(
    values: &Values,
    listeners: &[EndPoint],
    controller_names: &[String],
) -> Result<Vec<String>, ConfigError> {
    if values.get("early.start.listeners").is_null() {
        return Ok(controller_names.to_vec());
    }
    let names: Vec<String> =
        values.list("early.start.listeners").iter().map(|name| name.to_uppercase()).collect();
    for name in &names {
        if !listeners.iter().any(|endpoint| endpoint.listener == *name) && !controller_names.contains(name) {
            return Err(ConfigError::Invalid(format!(
                "early.start.listeners contains listener {name}, but this is not contained in listeners or \
                 controller.listener.names"
            )));
        }
    }
    Ok(names)
}

/// Parses `key:value` pairs between commas; a key may contain colons. Kafka: `Csv.parseCsvMap`.
pub(super) fn parse_map(name: &str, text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let pair = |part: &str| match part.rsplit_once(':') {
        Some((key, value)) => Ok((key.trim().to_owned(), value.trim().to_owned())),
        None => Err(ConfigError::Invalid(format!(
            "Error parsing configuration property '{name}': begin 0, end -1, length {}",
            part.len()
        ))),
    };
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(pair).collect()
}
