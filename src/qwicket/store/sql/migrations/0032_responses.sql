-- Responses to requests that are passed on to a device's own server.
alter table forward add column response {blob};
