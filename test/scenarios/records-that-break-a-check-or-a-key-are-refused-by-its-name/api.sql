create table known_license (license varchar(50) primary key);
insert into known_license values ('by'), ('cc0');
alter table image add constraint image_license_fk foreign key (license) references known_license (license);
alter table image add constraint "positive width" check (width > 0);
